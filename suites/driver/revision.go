package driver

import (
	"context"
	"os/exec"
	"path/filepath"
	"strings"
)

// Revision is the revision of virtmatrix's own source: a change of the harness
// can shift results, so it is stored with each. A tree with changes of its own
// says so.
func Revision(ctx context.Context) string {
	root, err := ModuleRoot(ctx)
	if err != nil {
		return "unknown"
	}
	out, err := exec.CommandContext(ctx, "git", "-C", root, "describe", "--always", "--dirty", "--abbrev=12").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}

// Left lists the run-time folders of hosts that were not closed.
func (d *Driver) Left() []string {
	left, _ := filepath.Glob(filepath.Join(d.config.Runtime, "vm-*"))
	return left
}
