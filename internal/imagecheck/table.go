package imagecheck

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/diskfs/go-diskfs/backend"
	"github.com/diskfs/go-diskfs/partition/gpt"
	"github.com/diskfs/go-diskfs/partition/mbr"
)

// partition is a partition, or the whole disk where it has none (number 0).
type partition struct {
	number      int
	start, size int64
	// holds is what the first blocks say is in it: "ext4", "xfs", ... or "".
	holds string
}

// String names it.
func (p partition) String() string {
	if p.number == 0 {
		return "the whole disk"
	}
	return fmt.Sprintf("partition %d", p.number)
}

// table is the partition table.
type table struct {
	// kind is "gpt", "mbr" or "" for a disk without.
	kind  string
	parts []partition
	// wrong is what is wrong with it.
	wrong error
}

const sector = 512

// readTable reads the partition table; of one that is wrong it has what can be used.
func readTable(disk io.ReaderAt, bytes int64) (t table) {
	on := readOnly(disk, 0, bytes)
	master, err := mbr.Read(on, sector, sector)
	if signature := make([]byte, 2); err != nil {
		if _, unread := disk.ReadAt(signature, sector-2); unread == nil && string(signature) == "\x55\xaa" {
			return table{kind: "mbr", wrong: fmt.Errorf("its MBR is broken: %w", err)}
		}
		return table{}
	}
	t.kind = "mbr"
	for _, p := range master.Partitions {
		switch p.Type {
		case mbr.Empty:
		case mbr.GPTProtective:
			t.kind = "gpt"
		case mbr.ExtendedCHS, mbr.ExtendedLBA, mbr.LinuxExtended:
			t.wrong = fmt.Errorf("partition %d holds logical ones, which growpart does not grow: use a GPT", p.Index)
		default:
			t.parts = append(t.parts, partition{number: p.Index, start: int64(p.Start) * sector, size: int64(p.Size) * sector})
		}
	}
	if t.kind == "gpt" {
		t.parts = nil
		t.wrong = guarded(func() error { return t.readGPT(on, disk, bytes) })
	}
	if t.wrong == nil {
		t.wrong = t.overlap(bytes)
	}
	for i := range t.parts {
		t.parts[i].holds = held(disk, t.parts[i])
	}
	return t
}

// gptHeaders refuses headers that say more than a table can have: the library takes what is
// there as the size of what it reads. It says what is wrong with the second one, which the
// library looks at only where the first is broken.
func gptHeaders(disk io.ReaderAt, bytes int64) (second, err error) {
	for _, at := range []int64{sector, (bytes/sector - 1) * sector} {
		head := make([]byte, 92)
		if _, err := disk.ReadAt(head, at); err != nil {
			return nil, fmt.Errorf("cannot read GPT: %w", err)
		}
		n, each, sum := binary.LittleEndian.Uint32(head[80:]), binary.LittleEndian.Uint32(head[84:]), binary.LittleEndian.Uint32(head[16:])
		copy(head[16:], "\x00\x00\x00\x00")
		signed := string(head[:8]) == "EFI PART"
		if signed && (n > 1024 || each != gpt.PartitionEntrySize) {
			return nil, fmt.Errorf("its GPT says %d entries of %d bytes; 128 of 128 are usual", n, each)
		}
		if at != sector && (!signed || crc32.ChecksumIEEE(head) != sum) {
			second = fmt.Errorf("the copy of its GPT is not at the end of the disk: the image was cut off, or made larger (sgdisk -e moves it)")
		}
	}
	return second, nil
}

// readGPT reads the partitions; of a table that is wrong those that can be used.
func (t *table) readGPT(on backend.File, disk io.ReaderAt, bytes int64) error {
	second, err := gptHeaders(disk, bytes)
	if err != nil {
		return err
	}
	found, err := gpt.Read(on, sector, sector)
	if err != nil {
		return err
	}
	for _, p := range found.Partitions {
		if p.Type != gpt.Unused && p.End >= p.Start && p.End < 1<<53 {
			t.parts = append(t.parts, partition{number: p.Index, start: int64(p.Start) * sector, size: int64(p.End-p.Start+1) * sector})
		}
	}
	if found.RecoveredFromBackup {
		return fmt.Errorf("its first GPT is broken, and the one at the end of the disk is not")
	}
	return second
}

// overlap says which partitions share sectors, or leave the disk.
func (t *table) overlap(bytes int64) error {
	if len(t.parts) == 0 {
		return fmt.Errorf("its %s has no partition", t.kind)
	}
	slices.SortStableFunc(t.parts, func(a, b partition) int { return int(min(max(a.start-b.start, -1), 1)) })
	var end int64
	for _, p := range t.parts {
		if p.start < end {
			return fmt.Errorf("%s begins before the one before it ends", p)
		}
		if end = p.start + p.size; p.size <= 0 || end > bytes {
			return fmt.Errorf("%s ends at %d, and the disk at %d: the image is cut off, or was made for a larger disk", p, end, bytes)
		}
	}
	return nil
}

// held says what is at a place, by its signature.
func held(disk io.ReaderAt, p partition) string {
	for _, known := range []struct {
		at    int64
		magic string
		name  string
	}{{1080, "\x53\xef", "ext4"}, {0, "XFSB", "xfs"}, {65600, "_BHRfS_M", "btrfs"}, {512, "LABELONE", "LVM"}, {0, "LUKS\xba\xbe", "LUKS"}, {82, "FAT32", "vfat"}, {54, "FAT", "vfat"}, {0, "hsqs", "squashfs"}} {
		b := make([]byte, len(known.magic))
		if _, err := disk.ReadAt(b, p.start+known.at); err == nil && string(b) == known.magic {
			return known.name
		}
	}
	return ""
}

// window is a part of the disk as the library wants it, which can read it and no more.
type window struct{ *io.SectionReader }

func readOnly(disk io.ReaderAt, start, bytes int64) backend.Storage {
	return window{io.NewSectionReader(disk, start, bytes)}
}

// Writable refuses.
func (window) Writable() (backend.WritableFile, error) { return nil, backend.ErrIncorrectOpenMode }

// Sys has no file of the system.
func (window) Sys() (*os.File, error) { return nil, backend.ErrNotSuitable }

// Path has no name.
func (window) Path() string { return "" }

// Close closes nothing.
func (window) Close() error { return nil }

// Stat has nothing to tell.
func (window) Stat() (fs.FileInfo, error) { return nil, backend.ErrNotSuitable }

// holdings lists what partitions hold, in words.
func (t *table) holdings() string {
	var words []string
	for _, p := range t.parts {
		what := p.holds
		if what == "" {
			what = "nothing known"
		}
		words = append(words, fmt.Sprintf("%s: %s", p, what))
	}
	return strings.Join(words, ", ")
}
