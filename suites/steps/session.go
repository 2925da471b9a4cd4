package steps

import (
	"sync"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/internal/owner"
	"github.com/virtmatrix/virtmatrix/matrix"
	"libvirt.org/go/libvirt"
)

// Session is a host, and what the checks that share it keep open there.
type Session struct {
	Host Host
	// Cell is the one whose stack the host has, where that is not the attempt's.
	Cell *matrix.Cell

	// conn is the libvirt connection that checks share, more are those that they
	// opened and have not given back.
	conn *libvirt.Connect
	more []*libvirt.Connect
	// forwards are the sockets of L0 that lead to the daemons.
	forwards []string
	// calls are under way, also when nobody waits for them any more.
	calls sync.WaitGroup
	// guest is the one that checks borrow.
	guest *sharedGuest
	// held is what the host held before the first attempt, in order.
	held []string
	// crashed are words of the log of crashes about programs that checks let crash.
	crashed []string

	// foreign says that libvirt's daemon was started by packages' scripts.
	foreign bool

	// consoleAt is where the console stood when the attempt began.
	consoleAt int64
	// began is what the host's emulator had of L0's scheduler then, samples what it
	// had since, the latest last.
	began   sample
	mu      sync.Mutex
	samples []sample
	// read is what steps begin with, for a moment.
	read sample
	// used says that an attempt was made here before.
	used bool
}

// sample is a reading of the scheduler's counters.
type sample struct {
	at    time.Time
	sched owner.Sched
}

func (s *Session) now() sample { return sample{time.Now(), s.Host.Sched()} }

// briefly is how old the counters may be that a step begins with.
const briefly = 100 * time.Millisecond

// recently is now, or shortly before: many steps take less time than reading the counters
// of all threads of a host.
func (s *Session) recently() sample {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.read.at) > briefly {
		s.read = s.now()
	}
	return s.read
}

// NewSession takes a host that has just come up: what its boot printed belongs to the
// first attempt on it.
func NewSession(h Host) *Session { return &Session{Host: h} }

func (s *Session) begin() {
	if s.used {
		s.consoleAt = s.Host.Console().Size()
	}
	s.used, s.began = true, s.now()
	s.mu.Lock()
	s.samples = nil
	s.mu.Unlock()
}

// window is how far back the scheduler's counters tell of starvation, in seconds of
// this machine: a kernel tells of a stall at the latest half a minute after it began.
const window = 40 * time.Second

// sample reads the counters, and forgets what is older than the window.
func (s *Session) sample() {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	s.samples = append(s.samples, now)
	for len(s.samples) > 1 && now.at.Sub(s.samples[1].at) >= window {
		s.samples = s.samples[1:]
	}
}

// lately is what the host had of the scheduler in the window before now, or since
// the attempt began when that is shorter.
func (s *Session) lately() owner.Sched {
	s.mu.Lock()
	defer s.mu.Unlock()
	since := s.began.sched
	if len(s.samples) > 0 && time.Since(s.samples[0].at) >= window {
		since = s.samples[0].sched
	}
	return s.Host.Sched().Sub(since)
}

// hungUp is how the connection to a daemon that broke last did so; nil if nobody knows.
func (s *Session) hungUp() (last *host.HangUp) {
	h, ok := s.Host.(Told)
	if !ok {
		return nil
	}
	for _, local := range s.forwards {
		for _, end := range h.HangUps(local) {
			if last == nil || end.Time.After(last.Time) {
				last = &end
			}
		}
	}
	return last
}

// Close ends the host. Its connections are closed in the background: one that is
// closed under a call brings the whole process down, and a call that hangs ends
// when the forwarded socket does, with the host.
func (s *Session) Close() error {
	go s.closeConnections()
	return s.Host.Close()
}

func (s *Session) closeConnections() {
	s.calls.Wait()
	for _, c := range append(s.more, s.conn) {
		if c != nil {
			_, _ = c.Close()
		}
	}
}
