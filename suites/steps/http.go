package steps

import (
	"fmt"

	"github.com/virtmatrix/virtmatrix/internal/host"
)

// webServer answers for files of a folder, whole and in ranges, which is what QEMU's block driver
// asks for (block/curl.c): its arguments are a port and the folder.
const webServer = `use IO::Socket::INET; $SIG{CHLD} = "IGNORE"; my ($port, $folder) = @ARGV;
my $s = IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => $port, Listen => 20, ReuseAddr => 1) or die "cannot listen: $!";
while (my $c = $s->accept) {
	next if fork;
	while (my $line = <$c>) {
		my ($method, $path) = $line =~ /^(\S+) (\S+)/;
		my $range;
		while (my $h = <$c>) { last if $h =~ /^\r?\n/; $range = $1 if $h =~ /^Range: bytes=(\S+)/i }
		open(my $f, "<", "$folder$path") or do { print $c "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"; next };
		my $size = -s $f; my ($from, $to) = (0, $size - 1); my $said = "200 OK";
		if (defined $range) {
			($from, $to) = split /-/, $range; $to = $size - 1 if !length($to // "") || $to >= $size;
			$said = "206 Partial Content\r\nContent-Range: bytes $from-$to/$size";
		}
		my $n = $to - $from + 1;
		print $c "HTTP/1.1 $said\r\nAccept-Ranges: bytes\r\nContent-Length: $n\r\n\r\n";
		next if $method eq "HEAD";
		seek $f, $from, 0; read $f, my $part, $n; print $c $part;
	}
	exit;
}`

// WebServer serves files by HTTP on L1's own address.
type WebServer struct {
	t           *T
	Port        uint
	script, pid string
}

// ServeHTTP serves the files of a folder on a port until the check is over.
func (t *T) ServeHTTP(folder string, port uint) *WebServer {
	w := &WebServer{t: t, Port: port, pid: t.Scratch("web.pid")}
	w.script = fmt.Sprintf("perl -e %s %d %s", host.Quote(webServer), port, host.Quote(folder))
	t.Sh("ip link set lo up 2>/dev/null || true")
	t.Cleanup(func() { t.Run("kill -9 -$(cat " + w.pid + ")") })
	w.Start()
	return w
}

// Start has it serve, once more too.
func (w *WebServer) Start() {
	w.t.Sh(fmt.Sprintf("setsid sh -c 'echo $$ >%s; exec \"$@\"' sh %s >/dev/null 2>&1 </dev/null &", w.pid, w.script))
	w.t.Until(callLimit, "the server of files answers", func() bool {
		return w.t.Run(fmt.Sprintf("perl -e 'use IO::Socket::INET; exit !IO::Socket::INET->new(\"127.0.0.1:%d\")'", w.Port)).OK()
	})
}

// Kill ends it at once, and all that it was asked for.
func (w *WebServer) Kill() { w.t.Sh("kill -9 -$(cat " + w.pid + ")") }
