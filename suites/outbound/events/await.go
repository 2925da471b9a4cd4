package events

import (
	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

var _ = check.Register("O-AWAIT", check.Spec{
	Asserts:  "virsh await returns once the domain is off, and with an error when that takes longer than it may",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "11.5")},
	Depends:  check.On(matrix.Libvirt),
	Control:  sabotage.Wrap("virsh", "a virsh that awaits nothing", `case "$*" in *await*) exit 0;; esac; exec $REAL "$@"`),
}, func(t *steps.T) {
	d := t.Define()
	await := "await " + d.Name + " --condition domain-inactive --timeout "
	t.Expect(t.Virsh(await+"5").Code).To(Equal(0), "status for a domain that is off")
	d.StartPaused()
	t.Expect(t.Virsh(await+"1").Code).NotTo(Equal(0), "status for a domain that runs on")
	t.Sh("virsh -c " + t.URI() + " " + await + "60 & a=$!; virsh -c " + t.URI() + " destroy " + d.Name + "; wait $a")
	t.Expect(d.State()).To(Equal(libvirt.DOMAIN_SHUTOFF))
})
