package guest

import (
	"time"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/fixtures/l2"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// hangUpLimit bounds how long the end of a conversation may take to be known, at scale 1.
const hangUpLimit = 20 * time.Second

// console attaches a stream to the domain's console.
func console(flags libvirt.DomainConsoleFlags) func(*libvirt.Domain, *libvirt.Stream) error {
	return func(d *libvirt.Domain, s *libvirt.Stream) error { return d.OpenConsole("", s, flags) }
}

var _ = check.Register("O-CON", check.Spec{
	Asserts:  "A guest is spoken with over its console by one at a time, and by the next one who forces it",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "1.1.2")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU, matrix.XenHyp),
	Control:  sabotage.ChangeCode("virDomainOpenConsole", libvirt.ERR_INTERNAL_ERROR),
}, func(t *steps.T) {
	var opts []domain.Option
	if t.Kind() == matrix.KVM {
		opts = append(opts, domain.WithTerminal)
	}
	d := t.Define(opts...)
	d.Start()
	first := d.Over("open the console", console(0))
	mark := first.Mark()
	s := steps.Get(t, "make a stream", func() (*libvirt.Stream, error) { return t.Connection().Raw.NewStream(libvirt.STREAM_NONBLOCK) })
	defer func() { _ = s.Free() }()
	t.Refuses("open a console that another one has", libvirt.ERR_OPERATION_FAILED, func() error { return d.Raw.OpenConsole("", s, 0) })
	t.Expect(first.Memory()).To(Equal(mark.Word), "what the guest says after somebody else was refused")
	second := d.Over("open the console by force", console(libvirt.DOMAIN_CONSOLE_FORCE))
	t.Expect(second.Memory()).To(Equal(mark.Word), "what the guest says to who forced the console open")
	t.Until(hangUpLimit, "the one whose console was taken knows", first.HungUp)
	second.PowerOff()
	d.WaitFor(libvirt.DOMAIN_SHUTOFF)
	t.Until(hangUpLimit, "the console of a guest that is off has ended", second.HungUp)
})

var _ = check.Register("O-CHAN", check.Spec{
	Asserts:  "A guest is spoken with over a channel of its own, while its console goes on",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "1.0.2")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU),
	Control:  sabotage.Refuse("virDomainOpenChannel", libvirt.ERR_INTERNAL_ERROR, libvirt.FROM_QEMU),
}, func(t *steps.T) {
	d, g := t.Started(domain.WithChannel)
	over := d.Over("open the channel", func(d *libvirt.Domain, s *libvirt.Stream) error { return d.OpenChannel(l2.ChannelPort, s, 0) })
	over.PutMemory("of the channel") // what answers there has a memory of its own
	t.Expect(over.Memory()).To(Equal("of the channel"))
	t.Expect(g.Memory()).To(BeEmpty(), "what was said on the channel and came by the console")
	t.Expect(over.Tick().BootID).To(Equal(g.Tick().BootID), "boot of the guests on the channel and on the console")
	s := steps.Get(t, "make a stream", func() (*libvirt.Stream, error) { return t.Connection().Raw.NewStream(0) })
	defer func() { _ = s.Free() }()
	t.Refuses("open a channel that is not there", libvirt.ERR_INTERNAL_ERROR, func() error { return d.Raw.OpenChannel("org.nosuch.0", s, 0) })
})
