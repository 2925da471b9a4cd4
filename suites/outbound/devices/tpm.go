package devices

import (
	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// Debian has no swtpm before the release of libvirt 9.0: there libvirt has to say so.
var _ = check.Register("O-TPM", check.Spec{
	Asserts:  "A guest's emulated TPM remembers over stops, saves and restores how often it was started, and is forgotten with its domain",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "5.6.0")},
	Depends:  check.On(matrix.Linux, matrix.QEMU, matrix.Libvirt, "machine", "firmware", "accel"),
	Control:  sabotage.Wrap("swtpm", "a TPM that forgets when it starts", sabotage.ForgetfulTPM),
}, func(t *steps.T) {
	if !t.AtLeast(matrix.Libvirt, "9.0") {
		d := t.Define(domain.WithTPM("tpm-crb"))
		t.Refuses("start a guest with a TPM where there is no emulator of it", libvirt.ERR_SYSTEM_ERROR, func() error { return d.Raw.Create() })
		t.Expect(t.HasProcess(d.Name)).To(BeFalse(), "the hypervisor runs the refused guest")
		return
	}
	for _, model := range []string{"tpm-crb", "tpm-tis"} {
		d, g := t.Started(domain.WithTPM(model))
		state := d.TPMState()
		first, _ := g.TPMStarts()
		d.Destroy()
		d.Start()
		g = d.Guest()
		second, went := g.TPMStarts()
		t.Expect(second).To(BeNumerically(">", first), "starts of %s that it remembers after another one", model)
		mark, file := g.Mark(), t.Scratch("saved")
		d.Save(file)
		t.Connection().Restore(file)
		g = d.Guest()
		g.ExpectGoesOn(mark)
		third, still := g.TPMStarts()
		t.Expect(third).To(Equal(second), "starts of %s that it remembers after it was saved and restored", model)
		t.Expect(still).To(BeNumerically(">=", went), "ms on the clock of %s that was restored", model)
		t.Expect(t.Sh("find "+state+" -type f -perm /o=rwx")).To(BeEmpty(), "files of the TPM that all may use")
		d.Destroy()
		d.Undefine()
		t.Expect(t.Exists(state)).To(BeFalse(), "the TPM remembers after its domain is gone")
	}
})
