package steps

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/internal/agent"
	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/host"
)

// Media is what the cell's machines boot from.
func (t *T) Media() string { return host.MediaOf(t.Cell.Settings) }

// Held is the SHA-256 of a file that the cell's kernel or root is in, or of a branch's
// commit on its medium.
func (t *T) Held(name string) string {
	all, err := t.Digests()
	if err == nil && all[name] == "" {
		err = fault.Infraf("look for "+name, "no image of %s holds it", t.Cell.ID)
	}
	t.must(err, "read digests")
	return all[name]
}

// loaders are those that a kernel can have been started by, as its boot protocol numbers
// them; the rest of the number is their version (Documentation/arch/x86/boot.rst,
// type_of_loader).
var loaders = map[uint64]string{0x3: "SYSLINUX", 0x7: "GRUB", 0xb: "QEMU"}

// Loader is what started the host's kernel, as the kernel was told.
func (t *T) Loader() string {
	text := t.Sh("cat /proc/sys/kernel/bootloader_type")
	number, err := strconv.ParseUint(text, 10, 64)
	if name, ok := loaders[number>>4]; ok && err == nil {
		return name
	}
	return "loader " + text
}

// ByUEFI says that the host's firmware is UEFI.
func (t *T) ByUEFI() bool { return t.Run("test -d /sys/firmware/efi").OK() }

// DiskNames are the serials of the host's virtio disks.
func (t *T) DiskNames() []string {
	return strings.Fields(t.Sh("for f in /sys/block/vd*/serial; do cat $f; echo; done"))
}

// Disc is the device of the disc that the host sees its medium on.
func (t *T) Disc() string { return t.Sh("findmnt -n -o SOURCE -t iso9660 " + agent.MediumDir) }

// OnMedium is the SHA-256 of a file of the host's medium.
func (t *T) OnMedium(file string) string {
	sum, _, _ := strings.Cut(t.Sh("sha256sum "+agent.MediumDir+"/"+file), " ")
	return sum
}

// Mounted are the files of the medium that the host has mounted.
func (t *T) Mounted() []string {
	return strings.Fields(t.Sh("cat /sys/block/loop*/loop/backing_file | sed 's,^" + agent.MediumDir + "/,,'"))
}

// The sectors of a disc are of this size; its boot record is the one after the primary
// descriptor, and points to the catalogue of what firmware boots (El Torito 1.0).
const (
	sector        = 2048
	bootRecord    = 17
	catalogueAt   = 0x47
	entrySize     = 32
	bootable      = 0x88
	sectionHeader = 0x90
)

// ElTorito are the platforms for which a disc has something to boot: 0 for BIOS, 0xEF for
// UEFI.
func (t *T) ElTorito(disc string) (platforms []byte) {
	record := t.sectorOf(disc, bootRecord)
	t.Expect(string(record[1:6])).To(gomega.Equal("CD001"), "the mark of the disc's boot record")
	t.Expect(strings.TrimRight(string(record[7:39]), "\x00")).To(gomega.Equal("EL TORITO SPECIFICATION"), "what the disc's boot record is of")
	at := int(record[catalogueAt]) | int(record[catalogueAt+1])<<8 | int(record[catalogueAt+2])<<16 | int(record[catalogueAt+3])<<24
	catalogue := t.sectorOf(disc, at)
	platform := catalogue[1]
	for e := catalogue[entrySize:]; len(e) >= entrySize; e = e[entrySize:] {
		switch {
		case e[0]&^1 == sectionHeader:
			platform = e[1]
		case e[0] == bootable:
			platforms = append(platforms, platform)
		}
	}
	return platforms
}

// sectorOf reads a sector of a disc.
func (t *T) sectorOf(disc string, number int) []byte {
	text := t.Sh(fmt.Sprintf("dd status=none bs=%d count=1 skip=%d if=%s", sector, number, disc) + " | od -An -v -tx1 | tr -d ' \\n'")
	b, err := hex.DecodeString(text)
	if err == nil && len(b) != sector {
		err = fault.Infraf("read sector", "%d bytes", len(b))
	}
	t.must(err, "read disc")
	return b
}
