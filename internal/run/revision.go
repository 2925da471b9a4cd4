package run

import (
	"context"
	"os/exec"
	"strings"

	"github.com/virtmatrix/virtmatrix/internal/container"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/internal/owner"
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

// Left lists the folders of hosts that this process did not close. Other runs
// have their own.
func (d *Driver) Left() []string {
	var left []string
	for _, prefix := range []string{host.FolderPrefix, container.FolderPrefix} {
		for _, dir := range Owned(d.config.Runtime, d.config.Home) {
			left = append(left, owner.Own(dir, prefix)...)
		}
	}
	return left
}
