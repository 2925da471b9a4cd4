// Package connection holds the checks of connections to libvirt and of the errors on
// them. Which error a driver must give is from libvirt's source; the place is named where
// it is no matter of course.
package connection

import (
	"fmt"
	"regexp"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// hypervisor is what libvirt calls the cell's driver, and the component whose version
// it states.
func hypervisor(t *steps.T) (name string, comp matrix.Component) {
	if t.Kind() == matrix.Xen {
		return "Xen", matrix.XenHyp
	}
	return "QEMU", matrix.QEMU
}

var _ = check.Register("O-CONN", check.Spec{
	Asserts:  "A read-write connection opens, states its versions and closes",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "0.7.3")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU, matrix.XenHyp),
	Boots:    true,
	Control:  sabotage.Filter("virsh", "a virsh that states another version", `s/^Running hypervisor: \(.*\) [0-9.]*$/Running hypervisor: \1 0.1.2/`),
}, func(t *steps.T) {
	conn := t.NewConnection()
	name, comp := hypervisor(t)
	library := dotted(steps.Get(t, "ask for library version", conn.Raw.GetLibVersion))
	running := dotted(steps.Get(t, "ask for hypervisor version", conn.Raw.GetVersion))
	t.Expect(steps.Get(t, "ask for driver", conn.Raw.GetType)).To(Equal(name))
	t.Expect(library).To(HavePrefix(t.Version(matrix.Libvirt)+"."), "version of the daemon")
	t.Expect(running).To(HavePrefix(t.Version(comp)+"."), "version of the hypervisor")
	t.Expect(steps.Get(t, "ask for hostname", conn.Raw.GetHostname)).To(Equal(t.Sh("hostname")))
	t.Expect(steps.Get(t, "ask whether connection lives", conn.Raw.IsAlive)).To(BeTrue())
	conn.Close()

	t.Expect(t.VirshSays("uri")).To(Equal(t.URI()))
	words := regexp.MustCompile(`(?s)Using library: libvirt ([\d.]+)\n.*Using API: (\S+) ([\d.]+)\n.*Running hypervisor: \S+ ([\d.]+)`).
		FindStringSubmatch(t.VirshSays("version"))
	t.Expect(words).NotTo(BeNil(), "virsh version states library, API and hypervisor")
	t.Expect(words[1:]).To(Equal([]string{library, name, library, running}))
})

// dotted writes a version as libvirt packs it, major*1000000 + minor*1000 + release
// (virConnectGetVersion).
func dotted(v uint32) string {
	return fmt.Sprintf("%d.%d.%d", v/1000000, v/1000%1000, v%1000)
}
