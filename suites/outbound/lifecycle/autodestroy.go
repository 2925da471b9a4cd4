package lifecycle

import (
	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

var _ = check.Register("O-AUTODEST", check.Spec{
	Asserts:  "A guest that is to end with its client runs while the client is there, whoever else comes and goes, and ends with it",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "0.9.3")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU),
	Control:  sabotage.Wrap("virsh", "a virsh that keeps guests", `for a; do shift; [ "$a" = --autodestroy ] || set -- "$@" "$a"; done; exec $REAL "$@"`),
}, func(t *steps.T) {
	d, other := t.Define(), t.Define()
	client := t.NewConnection()
	d.Booting()
	t.Do("start domain for as long as its client is there", func() error {
		own, err := client.Raw.LookupDomainByName(d.Name)
		if err != nil {
			return err
		}
		defer func() { _ = own.Free() }() // who is held cannot be closed
		return own.CreateWithFlags(libvirt.DOMAIN_START_AUTODESTROY)
	})
	g := d.Guest()
	mark := g.Mark()
	t.VirshSays("start --autodestroy " + other.Name)
	t.Expect(other.Active()).To(BeFalse(), "the guest of a virsh that has ended runs")
	g.ExpectGoesOn(mark)
	client.Close()
	d.WaitFor(libvirt.DOMAIN_SHUTOFF)
	t.Expect(t.HasProcess(d.Name)).To(BeFalse(), "an emulator runs whose client has ended")
	d.Start() // and stays, as nobody said otherwise
	t.NewConnection().Close()
	d.Guest()
})
