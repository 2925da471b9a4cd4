package main

import "context"

// measure is one thing that is measured; it may give several rows.
type measure struct {
	name, about string
	take        func(context.Context, *lab) ([]row, error)
}

// measures are all there are, in the order in which they are taken: what warms
// the disk's cache for others comes first.
var measures []measure

// The table refers to functions that refer to the table through -help.
func init() {
	measures = []measure{
		{"boot", "cold boot of L1 until its agent serves, against plain qemu", boots},
		{"restore", "a pristine host from a snapshot that is verified, against plain qemu -incoming", restores},
		{"cell", "OUTBOUND checks of a cell on a ready host, against a plain virsh script", cells},
		{"image", "build of a userland image, against plain mmdebstrap and mksquashfs", images},
		{"plan", "plan of the full kvm grid, and a run that the cache answers, against cat of the same files", plans},
		{"memory", "memory of the harness and of its hosts with 1, 2 and 4 cells in flight", memory},
		{"parallel", "the same cells 1, 2 and 4 side by side: how long, and is each answer a PASS at once?", parallel},
		{"container", "OUTBOUND checks of one (libvirt, qemu) pair with a host and its end, a container against a cold nested one", containers},
		{"soak", "500 restores in a row: what grows?", soak},
	}
}
