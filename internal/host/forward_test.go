package host

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/libvirtrpc"
)

func TestAClientThatHasSaidAllIsStillAnswered(t *testing.T) {
	client, near := socket(t)
	far, daemon := socket(t)
	ended := make(chan struct{})
	go func() { join(near, far); near.Close(); close(ended) }()
	go func() {
		said, _ := io.ReadAll(daemon)
		_, _ = io.WriteString(daemon, strings.ToUpper(string(said)))
		daemon.Close()
	}()
	if _, err := io.WriteString(client, "hello"); err != nil {
		t.Fatal(err)
	}
	if err := client.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(client); err != nil || string(got) != "HELLO" {
		t.Errorf("the client was answered %q, %v", got, err)
	}
	<-ended
}

func TestTheDaemonsEndEndsTheClient(t *testing.T) {
	client, near := socket(t)
	far, daemon := socket(t)
	go func() { join(near, far); near.Close() }()
	daemon.Close()
	if _, err := client.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("Read = %v, want the end", err)
	}
}

// serveOn makes a socket whose connections are handed to serve.
func serveOn(t *testing.T, serve func(*net.UnixConn)) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "d.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go serve(c.(*net.UnixConn))
		}
	}()
	return path
}

// upper is a daemon that answers what it was told in capitals.
func upper(t *testing.T) string {
	t.Helper()
	return serveOn(t, func(c *net.UnixConn) {
		defer c.Close()
		said, _ := io.ReadAll(c)
		_, _ = io.WriteString(c, strings.ToUpper(string(said)))
	})
}

func openFiles() int {
	names, _ := os.ReadDir("/proc/self/fd")
	return len(names)
}

func TestForwardedSocketsCarryAndLeaveNothing(t *testing.T) {
	link := talkingHost(t)
	local, err := link.Forward(upper(t))
	if err != nil {
		t.Fatal(err)
	}
	once := func() {
		c, err := net.Dial("unix", local)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_, _ = io.WriteString(c, "said")
		if err := c.(*net.UnixConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(c); err != nil || string(got) != "SAID" {
			t.Fatalf("answered %q, %v", got, err)
		}
	}
	once()
	files, routines := openFiles(), runtime.NumGoroutine()
	for range 100 {
		once()
	}
	for range 500 {
		if openFiles() <= files+2 && runtime.NumGoroutine() <= routines+5 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%d files and %d goroutines after 100 connects, %d and %d before", openFiles(), runtime.NumGoroutine(), files, routines)
}

func TestADaemonThatIsGoneClosesItsClients(t *testing.T) {
	link := talkingHost(t)
	local, err := link.Forward(filepath.Join(t.TempDir(), "gone.sock"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("unix", local)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("Read = %v, want the end", err)
	}
	if got := hungUp(t, link, local); got.By != ByDaemon || got.Err == nil {
		t.Errorf("%s, want by the daemon with the reason", got)
	}
}

// dial connects to a forwarded socket.
func dial(t *testing.T, local string) *net.UnixConn {
	t.Helper()
	c, err := net.Dial("unix", local)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.(*net.UnixConn)
}

// call is the header of a call of virDomainReset in libvirt's RPC.
func call(serial uint32) (b []byte) {
	for _, word := range []uint32{28, 0x20008086, 1, 245, 0, serial, 0} {
		b = binary.BigEndian.AppendUint32(b, word)
	}
	return b
}

// hungUp waits for the end of the only connection that was made.
func hungUp(t *testing.T, link *Link, local string) HangUp {
	t.Helper()
	for range 1000 {
		if ends := link.HangUps(local); len(ends) > 0 {
			return ends[0]
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("no connection has ended")
	return HangUp{}
}

func TestItIsKnownWhoEndedAConnection(t *testing.T) {
	takeOne := func(c *net.UnixConn) { _, _ = c.Read(make([]byte, 1)) }
	for name, tc := range map[string]struct {
		serve      func(*net.UnixConn)
		hangUp     func(link *Link, wire, client *net.UnixConn)
		by         Side
		orderly    bool
		unanswered []string
	}{
		"a daemon that closes under a call": {
			serve:  func(c *net.UnixConn) { takeOne(c); c.Close() },
			hangUp: func(_ *Link, _, client *net.UnixConn) { _, _ = client.Write(call(7)) },
			by:     ByDaemon, orderly: true, unanswered: []string{"virDomainReset"},
		},
		"a daemon that closes unasked": {
			serve: func(c *net.UnixConn) { c.Close() },
			by:    ByDaemon, orderly: true,
		},
		"a client that closes": {
			hangUp: func(_ *Link, _, client *net.UnixConn) { client.Close() },
			by:     ByClient, orderly: true,
		},
		"a client that gives up a call": {
			hangUp: func(_ *Link, _, client *net.UnixConn) { _, _ = client.Write(call(7)); client.Close() },
			by:     ByClient, orderly: true, unanswered: []string{"virDomainReset"},
		},
		"a call that hands files over": {
			hangUp: func(_ *Link, _, client *net.UnixConn) {
				withFDs := call(7)
				withFDs[19] = 4 // VIR_NET_CALL_WITH_FDS
				_, _ = client.Write(withFDs)
			},
			by: ByLink,
		},
		"a host that dies": {
			hangUp: func(_ *Link, wire, _ *net.UnixConn) { wire.Close() },
			by:     ByLink,
		},
		"a harness that ends the host": {
			hangUp: func(link *Link, _, _ *net.UnixConn) { link.Shut() },
			by:     ByLink,
		},
	} {
		t.Run(name, func(t *testing.T) {
			link, wire := wiredHost(t)
			connected := make(chan struct{})
			local, err := link.Forward(serveOn(t, func(c *net.UnixConn) {
				close(connected)
				if tc.serve != nil {
					tc.serve(c)
				}
				_, _ = io.Copy(io.Discard, c)
				c.Close()
			}))
			if err != nil {
				t.Fatal(err)
			}
			client := dial(t, local)
			<-connected
			if tc.hangUp != nil {
				tc.hangUp(link, wire, client)
			}
			got := hungUp(t, link, local)
			if got.By != tc.by || (got.Err == nil) != tc.orderly || !slices.Equal(got.Unanswered, tc.unanswered) {
				t.Errorf("%s, want by the %s with %q unanswered", got, tc.by, tc.unanswered)
			}
		})
	}
}

func TestAnEndIsKnownWhenItsClientSeesIt(t *testing.T) {
	link := talkingHost(t)
	local, err := link.Forward(serveOn(t, func(c *net.UnixConn) { c.Close() }))
	if err != nil {
		t.Fatal(err)
	}
	for range 50 {
		before := len(link.HangUps(local))
		_, _ = dial(t, local).Read(make([]byte, 1))
		if len(link.HangUps(local)) != before+1 {
			t.Fatal("the client saw an end that was not recorded")
		}
	}
}

func TestATapStandsInForTheServer(t *testing.T) {
	link := talkingHost(t)
	path := upper(t)
	local, err := link.Forward(path)
	if err != nil {
		t.Fatal(err)
	}
	ask := func() string {
		c := dial(t, local)
		_, _ = io.WriteString(c, "said")
		_ = c.CloseWrite()
		got, _ := io.ReadAll(c)
		return string(got)
	}
	link.Tap(path, func(server net.Conn) net.Conn { return liar{server} })
	if got := ask(); got != "SXID" {
		t.Errorf("with a tap the client was answered %q", got)
	}
	link.Tap(path, nil)
	if got := ask(); got != "SAID" {
		t.Errorf("without a tap the client was answered %q", got)
	}
}

func TestAProxyThatHangsUpIsTakenForTheDaemon(t *testing.T) {
	link := talkingHost(t)
	path := serveOn(t, func(c *net.UnixConn) {
		defer c.Close()
		for {
			b := make([]byte, len(call(0)))
			if _, err := io.ReadFull(c, b); err != nil {
				return
			}
			b[19] = 1 // VIR_NET_REPLY
			_, _ = c.Write(b)
		}
	})
	var proxy libvirtrpc.Proxy
	link.Tap(path, proxy.Wrap)
	local, err := link.Forward(path)
	if err != nil {
		t.Fatal(err)
	}
	client := dial(t, local)
	reply := make([]byte, len(call(0)))
	_, _ = client.Write(call(1))
	if _, err := io.ReadFull(client, reply); err != nil {
		t.Fatalf("a proxy without faults lets nothing pass: %v", err)
	}
	if _, err := proxy.Inject(libvirtrpc.CloseAfter("virDomainReset")); err != nil {
		t.Fatal(err)
	}
	_, _ = client.Write(call(2))
	if _, err := io.ReadFull(client, reply); err != io.EOF {
		t.Fatalf("Read = %v, want the end", err)
	}
	if got := hungUp(t, link, local); got.By != ByDaemon || !slices.Equal(got.Unanswered, []string{"virDomainReset"}) {
		t.Errorf("%s, want by the daemon under virDomainReset", got)
	}
}

// liar is a server that confuses letters.
type liar struct{ net.Conn }

func (l liar) Read(b []byte) (int, error) {
	n, err := l.Conn.Read(b)
	copy(b[:n], bytes.ReplaceAll(b[:n], []byte("A"), []byte("X")))
	return n, err
}

func (l liar) CloseWrite() error { return l.Conn.(interface{ CloseWrite() error }).CloseWrite() }
