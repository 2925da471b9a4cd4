package sabotage

import "github.com/virtmatrix/virtmatrix/internal/libvirtrpc"

// Double has events of a kind come twice, as in REMOTE_PROC_STORAGE_POOL_EVENT_LIFECYCLE.
func Double(event, name string) *Control {
	return call(name, libvirtrpc.DuplicateEvent(event))
}
