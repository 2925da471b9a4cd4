// Package tuning holds the checks of how libvirt has the host run a guest.
package tuning

import (
	"regexp"
	"strconv"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

var _ = check.Register("O-PIN", check.Spec{
	Asserts:  "The threads of a guest's processor, emulator and I/O run where they were pinned, at once and after the next start",
	Requires: []matrix.Requirement{matrix.Privileged, matrix.Since(matrix.Libvirt, "1.2.14")},
	Depends:  check.On(matrix.Linux, matrix.QEMU, matrix.Libvirt, matrix.XenHyp),
	Control:  sabotage.Swallow("virDomainPinEmulator"),
}, func(t *steps.T) {
	if t.Kind() == matrix.Xen {
		d := t.Guest().Domain
		pinsOnXen(t, d)
		return
	}
	d, _ := t.Started(domain.WithIOThreads(1))
	last := t.LastCPU()
	only, cpu := steps.Only(last, last+1), strconv.Itoa(last)
	pins := map[string]func(libvirt.DomainModificationImpact) error{
		"CPU 0":        func(on libvirt.DomainModificationImpact) error { return d.Raw.PinVcpuFlags(0, only, on) },
		"emulator":     func(on libvirt.DomainModificationImpact) error { return d.Raw.PinEmulator(only, on) },
		"IO iothread1": func(on libvirt.DomainModificationImpact) error { return d.Raw.PinIOThread(1, only, on) },
	}
	for thread, pin := range pins {
		t.Do("pin "+thread, func() error { return pin(libvirt.DOMAIN_AFFECT_LIVE) })
		t.Expect(d.Threads()).To(HaveKeyWithValue(thread, cpu), "processors that the threads of the emulator may run on")
		t.Do("pin "+thread+" at the next start", func() error { return pin(libvirt.DOMAIN_AFFECT_CONFIG) })
	}
	for command, lead := range map[string]string{"vcpupin": "0", "emulatorpin": "*:", "iothreadinfo": "1"} {
		t.Expect(t.VirshSays(command+" "+d.Name+" --live")).To(MatchRegexp(`(?m)^\s*`+regexp.QuoteMeta(lead)+`\s+`+cpu+`\s*$`), "what %s says", command)
	}
	t.Refuses("pin an I/O thread that there is none of", libvirt.ERR_INVALID_ARG, func() error { return d.Raw.PinIOThread(7, only, libvirt.DOMAIN_AFFECT_LIVE) })
	t.Refuses("pin a processor that there is none of", libvirt.ERR_INVALID_ARG, func() error { return d.Raw.PinVcpuFlags(7, only, libvirt.DOMAIN_AFFECT_LIVE) })
	d.Destroy()
	d.Start()
	d.Guest()
	for thread := range pins {
		t.Expect(d.Threads()).To(HaveKeyWithValue(thread, cpu), "processors that the threads of the started emulator may run on")
	}
})

// pinsOnXen pins the processor, which is all that the libxl driver can pin.
func pinsOnXen(t *steps.T, d *steps.Domain) {
	only := steps.Only(t.LastCPU(), t.LastCPU()+1)
	t.Do("pin processor", func() error { return d.Raw.PinVcpuFlags(0, only, libvirt.DOMAIN_AFFECT_LIVE) })
	t.Expect(t.Sh("xl vcpu-list "+d.Name)).To(MatchRegexp(`(?m)\s`+strconv.Itoa(t.LastCPU())+` / `), "what xl says of the processor")
	t.LacksOnXen("pin emulator", func() error { return d.Raw.PinEmulator(only, libvirt.DOMAIN_AFFECT_LIVE) })
	t.LacksOnXen("pin I/O thread", func() error { return d.Raw.PinIOThread(1, only, libvirt.DOMAIN_AFFECT_LIVE) })
}
