// Package inbound holds the checks of what makes the stack work: kernel, qemu
// and Xen.
package inbound

import (
	"context"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/suites/cell"
)

// Checks are the behaviours by check ID.
var Checks = map[string]cell.Body{
	"IK-BOOT": kernelBoots,
	"IX-BOOT": kernelBoots,
}

func kernelBoots(ctx context.Context, t *cell.T) {
	t.Expect(t.Sh(ctx, "uname -r")).To(Equal(t.KernelRelease()))
}
