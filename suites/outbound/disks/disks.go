// Package disks holds the checks of the disks that guests have, and of the images
// behind them.
package disks

import (
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
)

const (
	kib = 1 << 10
	mib = 1 << 20
	// size is that of a disk as a rule, in bytes.
	size = 4 * mib
	// word is what a guest writes to a disk, or finds there.
	word = "written to the disk"
)

// kvm requires a libvirt of the kvm stack from a version on.
func kvm(since string) []matrix.Requirement {
	return []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, since)}
}

// stack are the axes that decide about disks whose bus is the check's choice.
var stack = check.On(matrix.Libvirt, matrix.QEMU, "machine")

// disk gives the guest a virtio disk whose serial number is its name in the domain.
func disk(dev, path, format string, more ...domain.DiskOption) domain.Option {
	return domain.WithDisk(path, format, append([]domain.DiskOption{domain.At(dev, "virtio"), domain.Serial(dev)}, more...)...)
}
