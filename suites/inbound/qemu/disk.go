package qemu

import (
	"fmt"
	"strings"
	"time"
)

// What guests write, and where.
const (
	one, two, three = "the first text", "a second text", "the third text"
	mib             = 1 << 20
	vda             = "vda"
)

// slowEnd bounds what an emulator or a guest does in moments, at scale 1.
const slowEnd = 30 * time.Second

// disk are the arguments of a guest's disk vda with an image.
func disk(image, format string) []string {
	return diskOf(fmt.Sprintf("driver=%s,file.driver=file,file.filename=%s", format, image))
}

// diskOf are the arguments of a guest's disk vda with a node of the block layer.
func diskOf(node string) []string {
	return []string{"-blockdev", node + ",node-name=disk", "-device", "virtio-blk-pci,drive=disk,serial=disk"}
}

// zeroless is a text without the zeros around it.
func zeroless(text string) string { return strings.Trim(text, "\x00") }
