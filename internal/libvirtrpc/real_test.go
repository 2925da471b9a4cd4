package libvirtrpc

import (
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"libvirt.org/go/libvirt"
)

// nobody is the user that the daemon runs as when the tests are root's: as root it
// would use the machine's own folders (Debian's nobody).
const nobody = 65534

// realDaemon starts this machine's libvirtd with all it writes in a folder of the
// test, and returns its socket.
func realDaemon(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("starts libvirtd; leave -short out to run it")
	}
	path, err := exec.LookPath("libvirtd")
	if err != nil {
		t.Skip("libvirtd is not installed; apt-get install libvirt-daemon")
	}
	// A socket's path has room for 107 bytes.
	dir, err := os.MkdirTemp("/tmp", "libvirtd")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	// It ends by itself, too, when the test was killed and its clients are gone.
	cmd := exec.Command(path, "--timeout", "60")
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir,
		"XDG_RUNTIME_DIR=" + dir, "XDG_CONFIG_HOME=" + dir, "XDG_CACHE_HOME=" + dir, "XDG_DATA_HOME=" + dir}
	var log strings.Builder
	cmd.Stdout, cmd.Stderr = &log, &log
	if os.Geteuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		if err := os.Chown(dir, nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
	})
	socket := filepath.Join(dir, "libvirt", "libvirt-sock")
	for range 3000 {
		if c, err := net.Dial("unix", socket); err == nil {
			c.Close()
			return socket
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("libvirtd ended: %v\n%s", err, log.String())
		case <-time.After(10 * time.Millisecond):
		}
	}
	t.Fatal("libvirtd does not listen")
	return ""
}

// through is a socket that leads to the daemon's by the proxy.
func through(t *testing.T, p *Proxy, socket string) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "relay")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	local := filepath.Join(dir, "sock")
	l, err := net.Listen("unix", local)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("unix", socket)
			if err != nil {
				client.Close()
				continue
			}
			go relay(client, p.Wrap(server))
		}
	}()
	return local
}

func relay(client, daemon net.Conn) {
	go func() {
		_, _ = io.Copy(daemon, client)
		_ = daemon.(interface{ CloseWrite() error }).CloseWrite()
	}()
	_, _ = io.Copy(client, daemon)
	daemon.Close()
	client.Close()
}

var loop = sync.OnceValue(func() error {
	err := libvirt.EventRegisterDefaultImpl()
	go func() {
		for err == nil && libvirt.EventRunDefaultImpl() == nil {
		}
	}()
	return err
})

// open connects to the daemon's test driver by the proxy.
func open(t *testing.T, p *Proxy, socket string) *libvirt.Connect {
	t.Helper()
	if err := loop(); err != nil {
		t.Fatal(err)
	}
	conn, err := libvirt.NewConnect("test+unix:///default?socket=" + through(t, p, socket))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = conn.Close() })
	return conn
}

// subject is a running domain of the test driver, seen by a proxy of its own.
type subject struct {
	*testing.T
	*libvirt.Domain
	proxy *Proxy
	conn  *libvirt.Connect
	// events are what the client was told of the domain.
	events chan libvirt.DomainEventType
}

func newSubject(t *testing.T, socket string) *subject {
	t.Helper()
	s := &subject{T: t, proxy: &Proxy{}, events: make(chan libvirt.DomainEventType, 100)}
	s.conn = open(t, s.proxy, socket)
	name := strings.ReplaceAll(t.Name(), "/", "-")
	_, err := s.conn.DomainEventLifecycleRegister(nil, func(_ *libvirt.Connect, d *libvirt.Domain, e *libvirt.DomainEventLifecycle) {
		if of, err := d.GetName(); err == nil && of == name {
			s.events <- e.Event
		}
	})
	s.must(err)
	s.Domain, err = s.conn.DomainCreateXML("<domain type='test'><name>"+name+"</name><memory>8192</memory><os><type>hvm</type></os></domain>", 0)
	s.must(err)
	s.expectEvents(libvirt.DOMAIN_EVENT_STARTED)
	return s
}

func (s *subject) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *subject) inject(f Fault) *Injection {
	s.Helper()
	i, err := s.proxy.Inject(f)
	s.must(err)
	return i
}

// state asks the daemon, past faults.
func (s *subject) state() libvirt.DomainState {
	s.Helper()
	state, _, err := s.GetState()
	s.must(err)
	return state
}

func (s *subject) expectCode(err error, want libvirt.ErrorNumber) libvirt.Error {
	s.Helper()
	var got libvirt.Error
	if !errors.As(err, &got) || got.Code != want {
		s.Fatalf("the client says %v, want code %d", err, want)
	}
	return got
}

func (s *subject) expectApplied(i *Injection, want int) {
	s.Helper()
	if n, err := i.Applied(); n != want || err != nil {
		s.Errorf("%s was applied %d times, %v; want %d", i.Fault, n, err, want)
	}
}

// awaitApplied makes other calls, which are answered, until the fault was applied.
func (s *subject) awaitApplied(i *Injection) {
	s.Helper()
	for n := 0; n == 0; n, _ = i.Applied() {
		s.state()
	}
}
