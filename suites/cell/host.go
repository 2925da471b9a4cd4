package cell

import (
	"context"
	"io"
	"net"

	"github.com/virtmatrix/virtmatrix/internal/agent"
	"github.com/virtmatrix/virtmatrix/internal/console"
	"github.com/virtmatrix/virtmatrix/internal/layout"
	"github.com/virtmatrix/virtmatrix/internal/owner"
)

// Host is a running L1 as the suites use it: a *host.VM, a *container.Host, or a fake
// of tests.
type Host interface {
	Shell
	Wires
	Pulse
	Record
	// Close ends the host.
	Close() error
}

// Remote is a host whose processes are not below this one, as those of a container
// are below Docker's.
type Remote interface {
	// Root is the process on L0 that all of the host's are below; 0 when it has ended.
	Root() int
}

// Registered is a host whose processors' registers tell where it stands when it
// says nothing any more.
type Registered interface {
	Registers(ctx context.Context) (string, error)
}

// Shell works in L1. Its errors are classified: a command that failed is none.
type Shell interface {
	Exec(ctx context.Context, command string) (agent.Result, error)
	Write(ctx context.Context, path string, content []byte) error
}

// Wires lead from L0 into L1.
type Wires interface {
	// Dial connects to a Unix socket of L1, OpenTTY opens a terminal there.
	Dial(path string) (net.Conn, error)
	OpenTTY(path string) (io.ReadWriteCloser, error)
	// Forward makes a Unix socket of L1 available on L0 and returns its path.
	Forward(remote string) (string, error)
}

// Pulse tells how L1 fares.
type Pulse interface {
	// Alive is nil while L1 can be worked with, and otherwise the fault of
	// which it died.
	Alive() error
	Console() console.Log
	// Sched is what L0's scheduler gave to L1's emulator so far.
	Sched() owner.Sched
}

// Record is what belongs to an answer that a host gave.
type Record interface {
	// Quirks are the adaptations of the product that it runs with.
	Quirks() []string
	// Notes tell how it came to be, where that is not a plain boot.
	Notes() []string
	// Layout is where it has its things.
	Layout() layout.Manifest
	// LogDir is where its logs are on L0.
	LogDir() string
}
