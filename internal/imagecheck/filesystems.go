package imagecheck

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/bits"
	"slices"
	"strings"

	"github.com/diskfs/go-diskfs/filesystem/ext4"

	"github.com/virtmatrix/virtmatrix/internal/imagecheck/xfs"
)

func sortedNames(entries map[string]fs.DirEntry) []string {
	return slices.Sorted(maps.Keys(entries))
}

// openTree opens the file system of a partition.
func openTree(disk io.ReaderAt, p partition) (*tree, error) {
	switch p.holds {
	case "ext4":
		from, err := openExt4(disk, p)
		if err != nil {
			return nil, fmt.Errorf("ext4 of %s cannot be read: %w", p, err)
		}
		return newTree(from), nil
	case "xfs":
		from, err := openXFS(disk, p)
		if err != nil {
			return nil, fmt.Errorf("XFS of %s cannot be read: %w", p, err)
		}
		return newTree(from), nil
	}
	return nil, fmt.Errorf("%s holds %s, which is not read here", p, p.holds)
}

func openXFS(disk io.ReaderAt, p partition) (*xfs.FS, error) {
	return xfs.Open(io.NewSectionReader(disk, p.start, p.size), p.size)
}

// Of the superblock, by Documentation/filesystems/ext4/super.rst of Linux.
const (
	ext4Clean    = 1
	ext4Recover  = 0x4
	ext4Extents  = 0x40
	ext464Bit    = 0x80
	ext4Readable = 0x2 | ext4Recover | ext4Extents | ext464Bit | 0x200 | 0x2000 | 0x4000 // filetype, recover, extents, 64bit, flex_bg, csum_seed, large dirs
	ext4Checksum = 0x400
)

// superblock is what of ext4's superblock is looked at before the library sees it.
type superblock struct {
	blocks, blockBytes, perGroup uint64
	state, descriptor            uint16
	incompat, readOnly           uint32
}

func readSuperblock(disk io.ReaderAt, p partition) (s superblock, err error) {
	b := make([]byte, 1024)
	if _, err := disk.ReadAt(b, p.start+1024); err != nil {
		return s, fmt.Errorf("cannot read superblock: %w", err)
	}
	word := func(at int) uint32 { return binary.LittleEndian.Uint32(b[at:]) }
	s = superblock{
		blocks: uint64(word(0x4)), blockBytes: 1024 << (word(0x18) & 15), perGroup: uint64(word(0x20)),
		state: uint16(word(0x3a)), descriptor: uint16(word(0xfe)), incompat: word(0x60), readOnly: word(0x64),
	}
	if s.incompat&ext464Bit != 0 {
		s.blocks |= uint64(word(0x150)) << 32
	}
	return s, nil
}

// openExt4 opens what the library reads right. It takes sizes as they are in the
// superblock, and compares checksums whether there are any or not.
func openExt4(disk io.ReaderAt, p partition) (fileSystem, error) {
	s, err := readSuperblock(disk, p)
	if err != nil {
		return nil, err
	}
	switch more := s.incompat &^ ext4Readable; {
	case more != 0:
		return nil, fmt.Errorf("it has the incompatible feature 1<<%d, which is not read here", bits.TrailingZeros32(more))
	case s.incompat&ext4Recover != 0:
		return nil, fmt.Errorf("its journal was not replayed: shut the machine down before its disk is published")
	case s.incompat&ext4Extents == 0 || s.readOnly&ext4Checksum == 0:
		return nil, fmt.Errorf("it has no extents or no metadata checksums, without which it is not read here")
	case s.blockBytes > 65536 || s.blocks > uint64(p.size)/s.blockBytes:
		return nil, fmt.Errorf("it has %d blocks of %d bytes, and %s %d bytes", s.blocks, s.blockBytes, p, p.size)
	case s.perGroup < 256 || s.perGroup > 8*s.blockBytes || s.descriptor > 64:
		return nil, fmt.Errorf("its superblock cannot be: %d blocks a group, descriptors of %d bytes", s.perGroup, s.descriptor)
	}
	from, err := ext4.Read(readOnly(disk, p.start, p.size), p.size, 0, sector)
	if err != nil {
		return nil, err
	}
	return strictExt4{from}, nil
}

// strictExt4 refuses what the library would read as something else.
type strictExt4 struct{ *ext4.FileSystem }

// ReadFile refuses a file with holes: the library closes them up.
func (s strictExt4) ReadFile(name string) ([]byte, error) {
	f, err := s.FileSystem.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if st, ok := info.Sys().(*ext4.StatT); !ok || st.Blocks*sector < uint64(info.Size()) {
		return nil, fmt.Errorf("it has holes or its data in the inode, which is not read here")
	}
	b := make([]byte, min(info.Size(), longestFile))
	for n := 0; n < len(b); {
		got, err := f.Read(b[n:])
		if n += got; n < len(b) && (err != nil || got == 0) {
			return nil, fmt.Errorf("%d of %d bytes: %w", n, len(b), cmp.Or(err, io.ErrUnexpectedEOF))
		}
	}
	return b, nil
}

// ReadLink reads a link, which ends where C's strings do.
func (s strictExt4) ReadLink(name string) (string, error) {
	target, err := s.FileSystem.ReadLink(name)
	target, _, _ = strings.Cut(target, "\x00")
	if err == nil && target == "" {
		err = fmt.Errorf("its target is empty")
	}
	return target, err
}

// identity is what fstab(5) can name a file system by.
func identity(disk io.ReaderAt, p partition) (uuid, label string, err error) {
	at := map[string]struct{ uuid, label, long int64 }{"ext4": {1024 + 0x68, 1024 + 0x78, 16}, "xfs": {32, 108, 12}}[p.holds]
	b := make([]byte, 16+at.long)
	_, err = disk.ReadAt(b[:16], p.start+at.uuid)
	_, err2 := disk.ReadAt(b[16:], p.start+at.label)
	label, _, _ = strings.Cut(string(b[16:]), "\x00")
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:16]), label, errors.Join(err, err2)
}
