package cell

import (
	"context"

	"github.com/virtmatrix/virtmatrix/internal/agent"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// Virsh runs the cell's own virsh in L1, with arguments as its shell reads
// them, and returns how it ended.
func (t *T) Virsh(ctx context.Context, args string) agent.Result {
	return t.Run(ctx, "virsh -c "+t.URI()+" "+args)
}

// VirshSays runs a virsh command that must succeed and returns what it printed,
// trimmed.
func (t *T) VirshSays(ctx context.Context, args string) string {
	return t.Sh(ctx, "virsh -c "+t.URI()+" "+args)
}

// Scratch names a file or folder of L1 on a real file system for this check. It
// is removed when the check is over.
func (t *T) Scratch(name string) string {
	path := host.ScratchDir + "/" + t.check.ID + "-" + name
	t.RemoveAfter(path)
	return path
}

// Underneath says whether a guest of the name runs, as the system below libvirt
// tells: the emulator's process on kvm, the toolstack's list on Xen.
func (t *T) Underneath(ctx context.Context, name string) bool {
	ask := "xl domid " + host.Quote(name)
	if t.Kind() == matrix.KVM {
		ask = emulatorOf(name)
	}
	return t.Run(ctx, ask).OK()
}

// emulatorOf is the command that prints the process ID of a kvm guest's
// emulator.
func emulatorOf(name string) string {
	// The brackets keep the pattern from matching the shell that runs it.
	return "pgrep -f " + host.Quote("[g]uest="+name+",")
}
