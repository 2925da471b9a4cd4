package kernel

import (
	"strings"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// backends are what a dom0 serves guests with, by the name of the driver on Xen's bus.
var backends = map[string]string{"xen-blkback": "vbd", "xen-netback": "vif", "xen-pciback": "pciback"}

var _ = check.Register("IK-XEN-CFG", check.Spec{
	Asserts:  "The kernel is a dom0: it reaches the hypervisor and its store, and its backends register with Xen's bus",
	Requires: []matrix.Requirement{matrix.XenStack, matrix.OwnKernel},
	Depends:  check.On(matrix.Linux, matrix.XenHyp),
	Control:  sabotage.Wrap("modprobe", "a kernel without its network backend", `case "$*" in *netback*) rmmod xen_netback; exit 0;; esac; exec $REAL "$@"`),
}, func(t *steps.T) {
	t.Expect(t.Sh("cat /proc/xen/capabilities")).To(Equal("control_d"), "what the kernel is on Xen")
	for _, device := range []string{"gntdev", "evtchn", "privcmd", "xenbus"} {
		t.Sh("modprobe -q xen-" + device + "; test -c /dev/xen/" + device)
	}
	for module, driver := range backends {
		t.Sh("modprobe " + module)
		t.Expect(strings.Fields(t.Sh("ls /sys/bus/xen-backend/drivers /sys/bus/pci/drivers"))).To(ContainElement(driver), "drivers, with %s", module)
	}
})
