package guest

import (
	"fmt"
	"strings"
	"time"

	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/internal/layout"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirtxml"
)

// Ports of L1 at which serial ports of guests listen, and to which they connect; and how long
// what a guest says may take to be there, at scale 1: an emulator connects anew each second.
const (
	rawPort, telnetPort, serverPort = "2101", "2102", "2103"
	saidLimit                       = 20 * time.Second
)

// tcpPort is a serial port at a TCP port of L1.
func tcpPort(mode, port string) libvirtxml.DomainSerial {
	return libvirtxml.DomainSerial{Source: &libvirtxml.DomainChardevSource{TCP: &libvirtxml.DomainChardevSourceTCP{Mode: mode, Host: "127.0.0.1", Service: port}}}
}

var _ = check.Register("O-SERIAL", check.Spec{
	Asserts:  "What a guest says on its serial ports is at the end of its file, in its log, and with who connects to it, and so after another start",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "1.3.3")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU, "machine"),
	Hosts:    matrix.Hosts{Network: true},
	Control:  sabotage.Wrap(layout.Emulator, "an emulator that listens elsewhere", `exec $REAL "${@/port=`+telnetPort+`/port=2109}"`),
}, func(t *steps.T) {
	t.Sh("ip link set lo up")
	file, log := t.Scratch("said"), t.Scratch("log")
	t.Put(file, "said before\n")
	raw, telnet := tcpPort("bind", rawPort), tcpPort("bind", telnetPort)
	raw.Log = &libvirtxml.DomainChardevLog{File: log, Append: "on"}
	telnet.Protocol = &libvirtxml.DomainChardevProtocol{Type: "telnet"}
	d := t.Define(domain.WithSerial(libvirtxml.DomainSerial{Source: &libvirtxml.DomainChardevSource{File: &libvirtxml.DomainChardevSourceFile{Path: file, Append: "on"}}}),
		domain.WithSerial(raw), domain.WithSerial(telnet))
	for _, run := range []string{"first", "second"} {
		d.Start()
		g := d.Guest()
		connects := func(port string) (heard string) {
			heard = beside(t, run+port, `my $s = IO::Socket::INET->new("127.0.0.1:`+port+`") or die "cannot connect: $!"; print "in\n"; print while <$s>;`)
			hears(t, "who connects to port "+port, heard, "in\n")
			return heard
		}
		byRaw, byTelnet := connects(rawPort), connects(telnetPort)
		for n, word := range []string{"to the file", "to the client", "by telnet"} {
			g.StoreFile(fmt.Sprintf("/dev/ttyS%d", n+1), run+" "+word+"\n")
		}
		hears(t, "the client", byRaw, run+" to the client\n")
		hears(t, "the client of telnet", byTelnet, run+" by telnet\n")
		d.Destroy()
	}
	hears(t, "the file", file, "said before\nfirst to the file\nsecond to the file\n")
	hears(t, "the log", log, "first to the client\nsecond to the client\n")
})

// A guest with a socket that is not there does not start (virSecurityDACSetChardevLabel): its
// server is there first, and that of a TCP port comes later.
var _ = check.Register("O-SERIAL-AGAIN", check.Spec{
	Asserts:  "A guest is heard where its serial ports connect to once somebody is there, and again when that one ended and another one came",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "3.7.0")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU, "machine"),
	Hosts:    matrix.Hosts{Network: true},
	Control:  sabotage.Wrap(layout.Emulator, "an emulator that connects elsewhere", `exec $REAL "${@/port=`+serverPort+`/port=2109}"`),
}, func(t *steps.T) {
	t.Sh("ip link set lo up")
	socket, second := t.Scratch("server"), uint(1)
	again := &libvirtxml.DomainChardevSourceReconnect{Enabled: "yes", Timeout: &second}
	tcp := tcpPort("connect", serverPort)
	tcp.Source.TCP.Reconnect = again
	unix := libvirtxml.DomainSerial{Source: &libvirtxml.DomainChardevSource{UNIX: &libvirtxml.DomainChardevSourceUNIX{Mode: "connect", Path: socket, Reconnect: again}}}
	serves := func(name, at string) (heard string) {
		return beside(t, name, `my $l = `+at+` or die "cannot listen: $!"; chmod 0777, "`+socket+`"; print "listens\n"; my $s = $l->accept; print "in\n"; print while <$s>;`)
	}
	bySocket := `IO::Socket::UNIX->new(Local => "` + socket + `", Listen => 1)`
	byTCP := `IO::Socket::INET->new(LocalAddr => "127.0.0.1:` + serverPort + `", Listen => 1, ReuseAddr => 1)`
	heard := serves("first", bySocket)
	hears(t, "the server", heard, "listens\n")
	_, g := t.Started(domain.WithSerial(unix), domain.WithSerial(tcp))
	says := func(name string, port int, heard string) {
		hears(t, "the server", heard, "in\n")
		g.StoreFile(fmt.Sprintf("/dev/ttyS%d", port), name+"\n")
		hears(t, "the server", heard, name+"\n")
		ends(t, name)
	}
	says("first", 1, heard)
	t.Sh("rm " + socket)
	says("second", 1, serves("second", bySocket))
	for _, name := range []string{"third", "fourth"} {
		says(name, 2, serves(name, byTCP))
	}
})

// beside runs a script of Perl in L1 beside the check, and returns the file that it prints to.
func beside(t *steps.T, name, script string) (said string) {
	said = t.Scratch(name + ".said")
	t.Sh("setsid perl -MIO::Socket -e " + host.Quote("$| = 1; open my $p, '>', '"+said+".pid'; print $p $$; close $p; "+script) + " >" + said + " 2>&1 </dev/null &")
	t.Cleanup(func() { ends(t, name) })
	return said
}

// ends ends such a script.
func ends(t *steps.T, name string) {
	pid := t.Scratch(name + ".said.pid")
	t.Run("kill $(cat " + pid + ") 2>/dev/null; rm -f " + pid) // whose number may be another's by the next time
}

// hears waits until a file has a text, whatever its lines end with.
func hears(t *steps.T, who, file, text string) {
	t.Until(saidLimit, who+" has heard "+strings.TrimSpace(text), func() bool {
		return strings.Contains(t.Sh("tr -d '\\r' <"+file)+"\n", text)
	})
}
