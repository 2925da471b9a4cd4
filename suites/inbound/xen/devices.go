package xen

import (
	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// The emulator that serves a guest's qcow2 disk is also its USB controller's other end:
// without one xl refuses. The guest has no driver for it, and gives it up only when it ends.
var _ = check.Register("IX-USB", check.Spec{
	Asserts:  "A guest that an emulator serves gets a USB controller, which xl lists with its ports, and which goes with the guest",
	Requires: stack,
	Depends:  depends,
	Control:  ignores("usbctrl-attach"),
}, func(t *steps.T) {
	g := t.XlGuest(domain.XL{"disk": []string{"format=qcow2,vdev=xvda,access=rw,target=" + t.QCOW2("disk", "disk")}})
	backend := "/local/domain/0/backend/qusb/" + g.DomID() + "/0"
	t.Xl("usbctrl-attach " + g.Name + " version=2 ports=3")
	t.Expect(t.Sh("xenstore-read "+backend+"/num-ports")).To(Equal("3"), "ports as xenstore has them")
	t.Expect(t.Xl("usb-list " + g.Name)).To(MatchRegexp(`(?m)^0\s+qusb\s+0\s+\d\s+2\s+3`))
	g.ExpectSameBoot(g.Tick())
	t.Xl("destroy " + g.Name)
	t.Until(resizeLimit, "xenstore has no controller", func() bool { return !t.Run("xenstore-exists " + backend).OK() })
})
