package agent

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestAUnixSocketCarriesBothWays(t *testing.T) {
	c := newClient(t)
	path := filepath.Join(t.TempDir(), "d.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		all, _ := io.ReadAll(conn) // until the client has said all
		fmt.Fprintf(conn, "%d bytes", len(all))
	}()
	conn, err := c.DialUnix(within(t), path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	long := strings.Repeat("x", 5<<20)
	if _, err := io.WriteString(conn, long); err != nil {
		t.Fatal(err)
	}
	if err := conn.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(conn); err != nil || string(got) != fmt.Sprintf("%d bytes", len(long)) {
		t.Errorf("the daemon says %q, %v", got, err)
	}
}

func TestTheDaemonsEndIsSeen(t *testing.T) {
	c := newClient(t)
	path := filepath.Join(t.TempDir(), "d.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := c.DialUnix(within(t), path)
	if err != nil {
		t.Fatal(err)
	}
	daemon, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	daemon.Close()
	if n, err := conn.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("Read = %d, %v; want the end", n, err)
	}
}

func TestWhatCannotBeOpenedIsNamed(t *testing.T) {
	c := newClient(t)
	gone := filepath.Join(t.TempDir(), "gone.sock")
	if _, err := c.DialUnix(within(t), gone); err == nil || !strings.Contains(err.Error(), "cannot connect to "+gone) || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("DialUnix = %v", err)
	}
	if _, err := c.OpenTTY(within(t), "/dev/null"); err == nil || !strings.Contains(err.Error(), "cannot use /dev/null as terminal") {
		t.Errorf("OpenTTY = %v", err)
	}
}

// pty opens a pseudo terminal: its master, and the path of its slave.
func pty(t *testing.T) (*os.File, string) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("no pseudo terminals here: %v", err)
	}
	t.Cleanup(func() { master.Close() })
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	return master, fmt.Sprintf("/dev/pts/%d", n)
}

func TestATerminalIsRawAndCarriesBothWays(t *testing.T) {
	c := newClient(t)
	master, slave := pty(t)
	tty, err := c.OpenTTY(within(t), slave)
	if err != nil {
		t.Fatal(err)
	}
	defer tty.Close()
	// Neither ^C nor ^D nor a line end means anything, and nothing is echoed.
	const said = "a\x03b\x04c\rd\ne"
	for _, way := range []struct {
		from io.Writer
		to   io.Reader
	}{{tty, master}, {master, tty}} {
		if _, err := io.WriteString(way.from, said); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(said))
		if _, err := io.ReadFull(way.to, got); err != nil || string(got) != said {
			t.Errorf("%q arrived as %q, %v", said, got, err)
		}
	}
}

func TestAClosedTerminalIsGivenBack(t *testing.T) {
	c := newClient(t)
	_, slave := pty(t)
	open := func() {
		tty, err := c.OpenTTY(within(t), slave)
		if err != nil {
			t.Fatal(err)
		}
		tty.Close()
	}
	open()
	files := openFiles(t)
	for range 20 {
		open()
	}
	eventually(t, "the agent closes the terminals that are no longer read", func() bool { return openFiles(t) <= files+1 })
}
