package host

import (
	"context"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/agent"
	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/owner"
)

// Link is the harness's way into a host, whatever that is made of: the session
// with its agent, and the sockets of L0 that lead to sockets there.
type Link struct {
	// Transport says where the link leads. It is set before the link is used.
	Transport Transport

	mu sync.Mutex
	// agent is another one after a reboot.
	agent    *agent.Client
	forwards []*forward
	taps     map[string]Tap
}

// Transport is what a link knows of its host.
type Transport struct {
	// Dir is the folder for sockets on L0.
	Dir string
	// Limit scales a time limit to the machine.
	Limit func(time.Duration) time.Duration
	// Alive is nil while the host can be worked with, and otherwise the fault of
	// which it died.
	Alive func() error
	// Lost explains a connection to the host that broke: nil when it was not the
	// host.
	Lost func(context.Context) error
	// Sched is how the host fared with L0's scheduler so far.
	Sched func() owner.Sched
}

// Open opens the session with the agent at the other end of the connection,
// which the link then owns.
func (l *Link) Open(ctx context.Context, conn net.Conn) error {
	c, err := agent.Connect(ctx, conn)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.agent = c
	return nil
}

// session is the session with the agent.
func (l *Link) session() *agent.Client {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.agent
}

// Wait returns when the session with the agent has ended.
func (l *Link) Wait() error { return l.session().Wait() }

// Shut ends the session and the sockets that lead into the host.
func (l *Link) Shut() {
	l.mu.Lock()
	for _, f := range l.forwards {
		f.listener.Close()
	}
	l.mu.Unlock()
	if c := l.session(); c != nil {
		c.Close()
	}
}

// Exec runs a shell command in L1. The error is a product fault when L1 died
// of it, and ours otherwise; a command that failed is in the result.
func (l *Link) Exec(ctx context.Context, command string) (agent.Result, error) {
	return l.exec(ctx, command, nil)
}

// Write writes a file of L1.
func (l *Link) Write(ctx context.Context, path string, content []byte) error {
	res, err := l.exec(ctx, "cat > "+Quote(path), strings.NewReader(string(content)))
	if err == nil && !res.OK() {
		err = fault.Infraf("write "+path, "%s", res.Text())
	}
	return err
}

func (l *Link) exec(ctx context.Context, command string, in io.Reader) (agent.Result, error) {
	res, err := l.session().Exec(ctx, command, in)
	if err == nil {
		return res, nil
	}
	if dead := l.Transport.Lost(ctx); dead != nil {
		return res, dead
	}
	return res, fault.Infraf("run command in L1", "%w", err)
}

// Quote quotes a word for L1's shell.
func Quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// servicesDone is the agent's note that all services were started.
const servicesDone = "services: all started"

// AwaitServices waits until the agent has started all services, or ctx ends.
func (l *Link) AwaitServices(ctx context.Context) error {
	log := agent.ServiceLog("agent")
	// The host waits for itself: one command instead of many under emulation.
	res, err := l.Exec(ctx, "until grep -q '^"+servicesDone+"' "+log+" 2>/dev/null; do sleep 0.1; done; cat "+log)
	if err == nil && !res.OK() {
		err = fault.Infraf("start services", "%s", res.Text())
	}
	return err
}

// Restart ends a daemon of L1 by a signal and starts it again as it was; its log goes
// on. It returns when the daemon's socket is answered again. That it does not end, or
// does not come back, is a product fault.
func (l *Link) Restart(ctx context.Context, daemon string, signal syscall.Signal) error {
	before := l.Transport.Sched()
	says, err := l.session().Restart(ctx, daemon, signal)
	switch {
	case err == nil && says == "":
		return nil
	case err == nil:
		return Died(agent.FaultLine+says, l.Transport.Sched().Sub(before))
	}
	if dead := l.Transport.Lost(ctx); dead != nil {
		return dead
	}
	return fault.Infraf("restart "+daemon, "%w", err)
}

// openLimit bounds how long the agent may take to open a socket or terminal at
// scale 1. It does so at once, or never.
const openLimit = time.Minute

// Dial connects to a Unix socket of L1.
func (l *Link) Dial(path string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), l.Transport.Limit(openLimit))
	defer cancel()
	conn, err := l.session().DialUnix(ctx, path)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if tap := l.taps[path]; tap != nil {
		conn = tap(conn)
	}
	return conn, nil
}

// Tap stands in for a server: it returns a connection that behaves like the given one
// to the server, or not quite.
type Tap func(server net.Conn) net.Conn

// Tap puts a tap into every connection to a Unix socket of L1 that is made from now
// on, forwarded ones included; nil takes it out again.
func (l *Link) Tap(path string, tap Tap) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.taps == nil {
		l.taps = map[string]Tap{}
	}
	l.taps[path] = tap
}

// OpenTTY opens a terminal of L1.
func (l *Link) OpenTTY(path string) (io.ReadWriteCloser, error) {
	ctx, cancel := context.WithTimeout(context.Background(), l.Transport.Limit(openLimit))
	defer cancel()
	return l.session().OpenTTY(ctx, path)
}
