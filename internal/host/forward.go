package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/agent"
	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/libvirtrpc"
	"github.com/virtmatrix/virtmatrix/internal/store/disk"
)

// Side is who ended a connection.
type Side string

// A connection ends by its client on L0, by its daemon in L1, or by the link between
// them: the host died, the harness ended it, or it cannot carry what was said.
const (
	ByClient Side = "client"
	ByDaemon Side = "daemon"
	ByLink   Side = "link"
)

// HangUp is how a forwarded connection ended. Whoever did so first did it.
type HangUp struct {
	// Socket is the daemon's, in L1.
	Socket string
	Time   time.Time
	By     Side
	// Err is nil when the connection was closed in an orderly way.
	Err error
	// Unanswered are the libvirt calls that were under way, oldest first.
	Unanswered []string
}

// String returns the hang-up as a sentence.
func (h HangUp) String() string {
	s := fmt.Sprintf("the connection to %s was ended by the %s at %s", h.Socket, h.By, h.Time.UTC().Format("15:04:05.000"))
	if h.Err != nil {
		s += fmt.Sprintf(" (%v)", h.Err)
	}
	if len(h.Unanswered) > 0 {
		s += fmt.Sprintf(" with %q unanswered", h.Unanswered)
	}
	return s
}

// forward is a socket of L0 that leads to one in L1.
type forward struct {
	remote, local string
	listener      net.Listener

	mu      sync.Mutex
	hangUps []HangUp
}

// Forward makes a Unix socket of L1 available on L0 and returns its path
// there. It ends with the host.
func (l *Link) Forward(remote string) (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := &forward{remote: remote, local: filepath.Join(l.Transport.Dir, fmt.Sprintf("fwd%d.sock", len(l.forwards)))}
	var err error
	if f.listener, err = net.Listen("unix", f.local); err != nil {
		// The folder goes with the host.
		if dead := l.Transport.Alive(); dead != nil {
			return "", dead
		}
		return "", fault.Infraf("forward "+remote, "%w", disk.Explain(err, l.Transport.Dir))
	}
	l.forwards = append(l.forwards, f)
	go func() {
		for {
			c, err := f.listener.Accept()
			if err != nil {
				return
			}
			go l.relay(c, f)
		}
	}()
	return f.local, nil
}

// HangUps are the ends of the connections that were made through a forwarded socket,
// by its path on L0. A client that sees its connection closed finds that end here.
func (l *Link) HangUps(local string) []HangUp {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range l.forwards {
		if f.local == local {
			f.mu.Lock()
			defer f.mu.Unlock()
			return slices.Clone(f.hangUps)
		}
	}
	return nil
}

// relay carries one connection. The client sees its end when it has been recorded.
func (l *Link) relay(client net.Conn, f *forward) {
	defer client.Close()
	daemon, err := l.Dial(f.remote)
	if err != nil {
		by := ByLink
		if agent.Refused(err) {
			by = ByDaemon
		}
		f.record(HangUp{Time: time.Now(), By: by, Err: err})
		return
	}
	var once sync.Once
	var calls libvirtrpc.Calls
	ended := func(by Side, err error) {
		once.Do(func() {
			h := HangUp{Time: time.Now(), By: by, Unanswered: calls.Unanswered()}
			if !errors.Is(err, io.EOF) {
				h.Err = err
			}
			if by == ByDaemon {
				// A session that breaks ends its connections as if the daemon had.
				if lost := l.ping(); lost != nil {
					h.By, h.Err = ByLink, lost
				}
			}
			f.record(h)
		})
	}
	join(&end{client, ByClient, calls.Sent, ended}, &end{daemon, ByDaemon, calls.Answered, ended})
}

// ping says why the session with the agent is lost, if it is.
func (l *Link) ping() error {
	ctx, cancel := context.WithTimeout(context.Background(), l.Transport.Limit(openLimit))
	defer cancel()
	return l.session().Ping(ctx)
}

func (f *forward) record(h HangUp) {
	h.Socket = f.remote
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hangUps = append(f.hangUps, h)
}

// end is one end of a forwarded connection.
type end struct {
	net.Conn
	side Side
	// check looks at what comes from there and says why it cannot be relayed.
	check func([]byte) error
	// ended is told who ended the connection, and how.
	ended func(Side, error)
}

func (e *end) Read(b []byte) (int, error) {
	n, err := e.Conn.Read(b)
	if unfit := e.check(b[:n]); unfit != nil {
		e.ended(ByLink, unfit)
		return 0, unfit
	}
	if err != nil {
		e.ended(e.side, err)
	}
	return n, err
}

func (e *end) Write(b []byte) (int, error) {
	n, err := e.Conn.Write(b)
	if err != nil {
		e.ended(e.side, err)
	}
	return n, err
}

// CloseWrite ends what is said to there.
func (e *end) CloseWrite() error {
	if half, ok := e.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// join carries what the client says to the daemon and back, until the daemon has
// said all. A client that has said all may still be answered.
func join(client io.ReadWriter, daemon interface {
	io.ReadWriteCloser
	CloseWrite() error
}) {
	defer daemon.Close()
	go func() {
		_, _ = io.Copy(daemon, client)
		_ = daemon.CloseWrite()
	}()
	_, _ = io.Copy(client, daemon)
}
