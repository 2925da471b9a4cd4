package connection

import (
	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// What is asked about is libvirt's side: which command it has SSH run, and that the
// helper or netcat there carries the connection. SSH itself is a shell that runs the
// command here, and netcat one of our own: userlands have none.
var _ = check.Register("O-CONN-SSH", check.Spec{
	Asserts:  "A client is served through the command that it has SSH run, with libvirt's helper and with netcat",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "6.8")},
	Depends:  check.On(matrix.Libvirt),
	Control:  sabotage.Wrap("virt-ssh-helper", "a helper that ends at once", "exit 1"),
}, func(t *steps.T) {
	ssh, netcat, log := t.Scratch("ssh"), t.Scratch("netcat"), t.Scratch("log")
	t.Put(ssh, sshScript(log))
	t.Put(netcat, netcatScript)
	t.Sh("chmod 755 " + ssh + " " + netcat)
	for _, proxy := range []struct{ params, runs string }{
		{"proxy=native", "virt-ssh-helper"},
		{"proxy=netcat&netcat=" + netcat, netcat},
		{"proxy=auto", "virt-ssh-helper"},
	} {
		t.Sh("rm -f " + log)
		serves(t, remote(t, "ssh", "someone@elsewhere:2222", "command="+ssh+"&keyfile=/etc/key&no_tty=1&"+proxy.params))
		said := t.Sh("cat " + log)
		t.Expect(said).To(ContainSubstring(proxy.runs), "command that SSH is to run with %s", proxy.params)
		for _, word := range []string{"-p 2222", "-l someone", "-i /etc/key", "elsewhere"} {
			t.Expect(said).To(ContainSubstring(word), "arguments of SSH with %s", proxy.params)
		}
	}
})

// sshScript logs its arguments and runs the command after the host's name, as a login
// shell at the other end would.
func sshScript(log string) string {
	return "#!/bin/sh\necho \"$*\" >>" + log + "\nwhile [ \"$1\" != -- ]; do shift; done\nshift 2\nexec sh -c \"$*\"\n"
}

// netcatScript carries its own input and output to a Unix socket: nc -U SOCKET.
const netcatScript = `#!/usr/bin/perl
use IO::Socket::UNIX;
my $s = IO::Socket::UNIX->new(Peer => $ARGV[-1]) or die "$ARGV[-1]: $!";
$| = 1;
if (my $pid = fork) {
	while (sysread(STDIN, my $b, 65536)) { syswrite $s, $b }
	shutdown $s, 1; waitpid $pid, 0;
} else {
	while (sysread($s, my $b, 65536)) { syswrite STDOUT, $b }
	kill TERM => getppid;
}
`
