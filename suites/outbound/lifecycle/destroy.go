package lifecycle

import (
	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// The guest's own voice is not heard: it is to be off whatever it is at.
var _ = check.Register("O-DESTROY", check.Spec{
	Asserts:  "A running domain is off once destroyed, at once or gracefully",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "0.9.4")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU, matrix.XenHyp, "machine", "firmware"),
	Control:  sabotage.Swallow("virDomainDestroy"),
}, func(t *steps.T) {
	d := t.Define()
	d.Start()
	t.Expect(t.HasProcess(d.Name)).To(BeTrue(), "the hypervisor runs the guest")
	graceful := func() error { return d.Raw.DestroyFlags(libvirt.DOMAIN_DESTROY_GRACEFUL) }
	if t.Kind() == matrix.Xen {
		// libxlDomainDestroyFlags takes no flags, and an unknown flag is an
		// invalid argument (virCheckFlags).
		t.Refuses("destroy domain gracefully on Xen", libvirt.ERR_INVALID_ARG, graceful)
		t.Expect(d.State()).To(Equal(libvirt.DOMAIN_RUNNING))
	} else {
		t.Do("destroy domain gracefully", graceful)
		d.ExpectOff(libvirt.DOMAIN_SHUTOFF_DESTROYED)
		d.Start()
	}
	d.Destroy()
	d.ExpectOff(libvirt.DOMAIN_SHUTOFF_DESTROYED)
	t.Refuses("destroy domain twice", libvirt.ERR_OPERATION_INVALID, d.Raw.Destroy)
})
