package save

import (
	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// The image is of a transient domain: what is left of a restore that fails shows as one.
var _ = check.Register("O-SAVE-CUT", check.Spec{
	Asserts:  "An image that was cut is refused, nothing is left of the attempt and the image is as it was; whole, it restores",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "0.9.4")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU, matrix.XenHyp, "machine"),
	Control:  sabotage.Swallow("virDomainRestoreFlags"),
}, func(t *steps.T) {
	d := t.Create()
	g := d.Guest()
	mark, whole, cut := g.Mark(), t.Scratch("whole"), t.Scratch("cut")
	d.Save(whole)
	d.WaitGone()
	for _, size := range []string{"$(($(stat -c %s " + whole + ") - 65536))", "$(($(stat -c %s " + whole + ") / 2))", "50", "0"} {
		t.Sh("cp " + whole + " " + cut + " && truncate -s " + size + " " + cut)
		sum := t.Sh("sha256sum " + cut)
		err := t.Try("restore", func() error { return t.Connection().Raw.DomainRestoreFlags(cut, "", 0) })
		t.Expect(err).To(HaveOccurred(), "restore of an image that was cut to %s bytes", size)
		t.Expect(t.Connection().Names()).NotTo(ContainElement(d.Name), "domains after the restore that was refused")
		t.Expect(t.HasProcess(d.Name)).To(BeFalse(), "the hypervisor runs what was refused")
		t.Expect(t.Sh("sha256sum "+cut)).To(Equal(sum), "image that was refused")
	}
	if t.Kind() == matrix.KVM {
		t.Sh("truncate -s 1M " + cut)
		t.Refuses("read the XML of what is no image", libvirt.ERR_OPERATION_FAILED, func() error {
			_, err := t.Connection().Raw.DomainSaveImageGetXMLDesc(cut, 0)
			return err
		})
		t.Expect(t.Virsh("save-image-edit "+cut).Code).To(Equal(1), "status of virsh save-image-edit")
	}
	t.Connection().Restore(whole)
	again := d.Again()
	again.Guest().ExpectGoesOn(mark)
	again.Destroy()
})

var _ = check.Register("O-REST-RUN", check.Spec{
	Asserts:  "A domain that runs is not restored over, and runs on",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "0.9.4")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU, matrix.XenHyp),
	Control:  sabotage.ChangeCode("virDomainRestoreFlags", libvirt.ERR_INTERNAL_ERROR),
}, func(t *steps.T) {
	g := t.Guest()
	mark, file := g.Mark(), t.Scratch("image")
	g.Domain.Save(file)
	t.Connection().Restore(file)
	g.WaitReady()
	id := g.Domain.Again().ID()
	t.Refuses("restore a domain that runs", libvirt.ERR_OPERATION_INVALID, func() error {
		return t.Connection().Raw.DomainRestoreFlags(file, "", 0)
	})
	t.Expect(t.Virsh("restore "+file).Code).To(Equal(1), "status of virsh restore")
	t.Expect(g.Domain.Again().ID()).To(Equal(id), "the number of the run")
	g.ExpectGoesOn(mark)
})
