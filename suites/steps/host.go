package steps

import (
	"context"

	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/internal/run"
)

// Host is a running L1: a *host.VM, a *container.Host, or a fake of tests.
type Host = run.Host

// Remote is a host whose processes are not below this one, as those of a container
// are below Docker's.
type Remote interface {
	// Root is the process on L0 that all of the host's are below; 0 when it has ended.
	Root() int
}

// Registered is a host whose processors' registers tell where it stands when it says
// nothing any more.
type Registered interface {
	Registers(ctx context.Context) (string, error)
}

// Tapped is a host in which connections to a Unix socket can be tampered with.
type Tapped interface {
	Tap(path string, tap host.Tap)
}

// Told is a host that tells who ended the connections through a forwarded socket.
type Told interface {
	HangUps(local string) []host.HangUp
}

// Rebooted is a host that can boot anew, with its disks as they are.
type Rebooted interface {
	Reboot(ctx context.Context) error
}
