package xen

import (
	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// emulators lists the emulators of dom0, whichever of them libxl was built for.
const emulators = `find /usr -xdev \( -name '*qemu-system-i386' -o -name '*qemu-system-x86_64' \) `

// That an HVM guest cannot be had then shows that the emulators are away.
var _ = check.Register("IX-NODM", check.Spec{
	Asserts:  "PV and PVH guests start on a dom0 without an emulator, where an HVM guest is refused",
	Requires: stack,
	Depends:  depends,
	Control: sabotage.Wrap("xl", "an xl that wants an emulator for every guest",
		`case "$1" in create) `+emulators+`| grep -q . || exit 3;; esac; exec $REAL "$@"`),
}, func(t *steps.T) {
	t.Cleanup(func() { t.Sh(`find /usr -xdev -name '*.away' -exec sh -c 'mv $1 ${1%.away}' . {} \;`) })
	t.Sh(emulators + `-exec mv {} {}.away \;`)
	eachMode(t, func(g *steps.Guest) { t.Expect(g.WaitReady().Kernel).To(Equal(t.KernelRelease())) })
	g := t.NewGuest()
	own, _ := machine(t, g)
	t.Expect(t.TryCreate(g, own).OK()).To(BeFalse(), "an HVM guest starts without an emulator")
	t.Expect(t.HasProcess(g.Name)).To(BeFalse(), "a domain is left of the guest that was refused")
})
