package tools

import (
	"slices"
	"strings"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// What libvirt says that it would run is compared with what it runs: their devices are
// the same. Other arguments have the number of the run in them.
var _ = check.Register("O-NATIVE", check.Spec{
	Asserts:  "A domain in the hypervisor's own words is what the hypervisor is given, and an unknown format is refused",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "3.9.0")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU, matrix.XenHyp, "machine", "firmware", "disk"),
	Control:  sabotage.Filter("virsh", "devices that virsh names otherwise", "s/virtio-rng/virtio-net/g"),
}, func(t *steps.T) {
	conn := t.Connection().Raw
	d := t.Define(domain.WithDisk(t.DiskImage("disk", 1<<20), "raw"))
	xml := d.Dump(libvirt.DOMAIN_XML_INACTIVE)
	t.Refuses("translate to an unknown format", libvirt.ERR_INVALID_ARG, func() error {
		_, err := conn.DomainXMLToNative("nosuch", xml, 0)
		return err
	})
	if t.Kind() == matrix.Xen {
		xl := steps.Get(t, "translate to xl's format", func() (string, error) { return conn.DomainXMLToNative("xen-xl", xml, 0) })
		back := steps.Get(t, "translate from xl's format", func() (string, error) { return conn.DomainXMLFromNative("xen-xl", xl, 0) })
		t.Expect(back).To(And(ContainSubstring("<name>"+d.Name+"</name>"), ContainSubstring(d.UUID()), ContainSubstring("xvda")))
		return
	}
	// The qemu driver reads no command lines since 5.5.
	t.Refuses("translate from a command line", libvirt.ERR_NO_SUPPORT, func() error {
		_, err := conn.DomainXMLFromNative("qemu-argv", "qemu -m 64", 0)
		return err
	})
	words := t.Sh(`eval "set -- $(virsh -q -c ` + t.URI() + " domxml-to-native qemu-argv --domain " + d.Name + `)"; printf '%s\n' "$@"`)
	d.StartPaused()
	running := t.Sh("tr '\\0' '\\n' </proc/$(cat /run/libvirt/qemu/" + d.Name + ".pid)/cmdline")
	t.Expect(devices(words)).To(And(Not(BeEmpty()), Equal(devices(running))), "devices that domxml-to-native names, and that run")
})

// devices are the arguments after -device, sorted.
func devices(arguments string) (found []string) {
	words := strings.Split(arguments, "\n")
	for i, w := range words[:len(words)-1] {
		if w == "-device" {
			found = append(found, words[i+1])
		}
	}
	slices.Sort(found)
	return found
}
