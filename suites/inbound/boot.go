package inbound

import (
	"context"
	"strings"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/cell"
)

// kernelChecks are the behaviours of L1's kernel, or dom0's.
var kernelChecks = map[string]cell.Body{
	"IK-BOOT":    kernelBoots,
	"IK-DMESG":   kernelLogIsClean,
	"IK-KVM":     kvmIsThere,
	"IK-KVM-RUN": kvmRunsGuest,
	"IK-NFT":     netfilterWorks,
	"IK-CG":      controlGroupsHold,
}

// kernelBoots: the running kernel is the package's of the cell, and not some
// other image's.
func kernelBoots(ctx context.Context, t *cell.T) {
	t.Expect(t.Sh(ctx, "cat /proc/1/comm")).To(Equal("init"), "the name of PID 1")
	release := t.Sh(ctx, "uname -r")
	t.Expect(release).To(Equal(t.KernelRelease()), "what uname -r says, and the image holds")
	t.Expect(series(release, t.Version(matrix.Linux))).To(BeTrue(), "kernel %s is of the series %s", release, t.Version(matrix.Linux))
	// The release names an ABI, which several packages share.
	build := t.Sh(ctx, "uname -rv")
	t.Expect(build).To(ContainSubstring(t.Package(matrix.Linux)), "the package's version, in what the kernel says of itself")
	t.Note("uname -rv: %s", build)
}

// kernelLogIsClean reads all that the kernel said since its boot, on both ways
// it has: the console keeps what the ring buffer lost, and the ring buffer has
// what is below the console's level.
func kernelLogIsClean(ctx context.Context, t *cell.T) {
	log := t.Sh(ctx, "dmesg")
	t.Expect(log).To(ContainSubstring("Linux version "+t.KernelRelease()), "the log's first line: without it the log is not whole")
	t.Clean(log)
	t.Clean(t.Console(ctx))
	t.Note("dmesg: %d lines", strings.Count(log, "\n")+1)
}
