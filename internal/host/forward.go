package host

import (
	"fmt"
	"io"
	"net"

	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/store/disk"
)

// Forward makes a Unix socket of L1 available on L0 and returns its path
// there. It ends with the host.
func (vm *VM) Forward(remote string) (string, error) {
	vm.mu.Lock()
	defer vm.mu.Unlock()
	local := vm.path(fmt.Sprintf("fwd%d.sock", len(vm.forwards)))
	l, err := net.Listen("unix", local)
	if err != nil {
		// The folder goes with the emulator.
		if dead := vm.Alive(); dead != nil {
			return "", dead
		}
		return "", fault.Infraf("forward "+remote, "%w", disk.Explain(err, vm.folder.Path))
	}
	vm.forwards = append(vm.forwards, l)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go vm.relay(c, remote)
		}
	}()
	return local, nil
}

func (vm *VM) relay(local net.Conn, remote string) {
	defer local.Close()
	conn, err := vm.Dial(remote)
	if err != nil {
		return // the client sees the closed connection, as with a daemon that is gone
	}
	join(local, conn)
}

// join carries what the client says to the daemon and back, until the daemon has
// said all. A client that has said all may still be answered.
func join(client, daemon net.Conn) {
	defer daemon.Close()
	go func() {
		_, _ = io.Copy(daemon, client)
		if half, ok := daemon.(interface{ CloseWrite() error }); ok {
			_ = half.CloseWrite()
		}
	}()
	_, _ = io.Copy(client, daemon)
}
