package main

import "context"

// measure is one thing that is measured; it may give several rows.
type measure struct {
	name, about string
	// times is how many times -n samples it takes, 0 for once: where samples are
	// cheap and vary more than what a target allows for.
	times int
	take  func(context.Context, *lab) ([]row, error)
}

// measures are all there are, in the order in which they are taken: what warms
// the disk's cache for others comes first.
var measures []measure

// The table refers to functions that refer to the table through -help.
func init() {
	measures = []measure{
		{name: "boot", about: "cold boot of L1 until its agent serves, against plain qemu; 3 times -n samples, which vary much", times: 3, take: boots},
		{name: "restore", about: "a pristine host from a snapshot that is verified, against plain qemu -incoming", take: restores},
		{name: "cell", about: "OUTBOUND checks of a cell on a ready host, against a plain virsh script", take: cells},
		{name: "image", about: "build of a userland image, against plain mmdebstrap and mksquashfs", take: images},
		{name: "plan", about: "plan of the full kvm grid, and a run that the cache answers, against cat of the same files", take: plans},
		{name: "memory", about: "memory of the harness and of its hosts with 1, 2 and 4 cells in flight", take: memory},
		{name: "parallel", about: "the same cells 1, 2 and 4 side by side: how long, and is each answer a PASS at once?", take: parallel},
		{name: "container", about: "OUTBOUND checks of one (libvirt, qemu) pair with a host and its end, a container against a cold nested one", take: containers},
		{name: "soak", about: "500 restores in a row: what grows?", take: soak},
	}
}
