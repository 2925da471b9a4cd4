package lifecycle

import (
	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

var _ = check.Register("O-TRANS", check.Spec{
	Asserts:  "A transient domain runs, and leaves nothing behind when it is destroyed",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "0.5.0")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU, matrix.XenHyp, "machine", "firmware"),
	Control:  sabotage.Swallow("virDomainUndefineFlags"),
}, func(t *steps.T) {
	d := t.Create()
	t.Expect(d.Persistent()).To(BeFalse())
	t.Expect(d.State()).To(Equal(libvirt.DOMAIN_RUNNING))
	d.Guest()
	// What a transient domain lacks is a definition to go back to.
	t.Refuses("undefine transient domain", libvirt.ERR_OPERATION_INVALID, func() error { return d.Raw.UndefineFlags(0) })
	t.Refuses("save transient domain for its next start", libvirt.ERR_OPERATION_INVALID, func() error { return d.Raw.ManagedSave(0) })
	d.Destroy()
	d.WaitGone()
	t.Expect(t.HasProcess(d.Name)).To(BeFalse(), "the hypervisor still runs the guest")
	// Variables of its firmware are to stay: it may be created again.
	t.Expect(t.Sh("find "+t.Layout().LibvirtConfig+" /run/libvirt /var/lib/libvirt/qemu /var/lib/libvirt/libxl -name '*"+d.Name+"*' -not -path "+
		domain.NVRAM(d.Name)+" 2>/dev/null || true")).To(BeEmpty(), "files left of the domain")
})
