package qemu

import (
	"strings"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/l2"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/internal/layout"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// A guest answers on its channel as on its console.
var _ = check.Register("IQ-CHR", check.Spec{
	Asserts:  "What a guest says goes to a terminal, a file and a socket, over which the emulator connects again when the other end was away",
	Requires: []matrix.Requirement{matrix.KVMStack},
	Depends:  check.On(matrix.QEMU),
	Control:  sabotage.Wrap(layout.Emulator, "a second channel that is the null device", `exec $REAL "${@/#pty,id=channel/null,id=channel}"`),
}, func(t *steps.T) {
	file, socket := t.Scratch("file"), t.Scratch("socket")
	reconnect := "reconnect=1"
	if t.AtLeast(matrix.QEMU, "9.2") {
		reconnect = "reconnect-ms=500"
	}
	q, g := t.StartGuest(channel("pty,id=channel",
		"-chardev", "file,id=file,path="+file, "-device", "isa-debugcon,iobase=0x402,chardev=file")...)
	t.Expect(t.Sh("cat "+file)).To(ContainSubstring("SeaBIOS"), "what the firmware says to a file")
	tty := strings.TrimPrefix(q.Chardev("channel"), "pty:")
	t.Expect(t.Run("test -c "+host.Quote(tty)).OK()).To(BeTrue(), "the channel's terminal %q", tty)
	answers(t, "open my $c, '+<', $ARGV[0] or die $!", tty)
	g.ExpectTicks(g.Tick())
	q.Quit()

	// Nobody listens yet.
	q, g = t.StartGuest(channel("socket,id=channel,path=" + socket + "," + reconnect)...)
	for range 2 {
		t.Expect(q.Chardev("channel")).To(HavePrefix("disconnected:"), "a channel whose other end is away")
		answers(t, "my $l = IO::Socket::UNIX->new(Local => $ARGV[0], Listen => 1) or die $!; my $c = $l->accept", socket)
		t.Sh("rm -f " + socket)
		t.Until(slowEnd, "the emulator has noticed that the other end is away", func() bool {
			return strings.HasPrefix(q.Chardev("channel"), "disconnected:")
		})
	}
	g.ExpectTicks(g.Tick())
	q.Quit()
})

// channel are the arguments of a guest's channel over a character device.
func channel(chardev string, more ...string) []string {
	return append([]string{"-device", "virtio-serial-pci", "-chardev", chardev, "-device", "virtserialport,chardev=channel,name=" + l2.ChannelPort}, more...)
}

// answers asks the guest's pulse of what a line of Perl opens, and asserts that it tells it.
func answers(t *steps.T, open, path string) {
	const ask = `$c->autoflush(1); print $c qq(\n{"id":7,"do":"tick"}\n); while (<$c>) { print and exit if /"re":7\b/ }`
	said := t.Sh("timeout 60 perl -MIO::Socket::UNIX -MIO::Handle -e " + host.Quote(open+"; "+ask) + " " + host.Quote(path))
	t.Expect(said).To(ContainSubstring(l2.Prefix), "what the guest says there")
	t.Expect(said).To(ContainSubstring(`"count":`), "what the guest says there")
}
