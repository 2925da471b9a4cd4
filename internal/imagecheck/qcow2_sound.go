package imagecheck

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/lima-vm/go-qcow2reader/image/qcow2"
)

// Of an entry of L1 and L2, by docs/interop/qcow2.rst of QEMU.
const (
	entryOffset     = 0x00fffffffffffe00
	entryCopied     = 1 << 63
	entryCompressed = 1 << 62
	reservedL1      = 0x7f000000000001ff
	reservedL2      = 0x3f000000000001fe
)

// clusters counts who uses each cluster of a file, as qemu-img check does.
type clusters struct {
	from     io.ReaderAt
	h        *qcowHeader
	fileSize uint64
	bits     uint
	used     []uint32
	// counts is what the refcount table says.
	counts []uint64
	// wrong is the first thing that is wrong, of so many.
	wrong string
	many  int
}

// countClusters returns what is wrong with the tables of an image, and how many clusters
// nobody uses though they are counted.
func countClusters(from io.ReaderAt, h *qcowHeader, fileSize int64) (wrong string, leaked int, err error) {
	if h.has(qcow2.IncompatibleFeaturesExtendedL2EntriesBit) || h.has(qcow2.IncompatibleFeaturesExternalDataFileBit) || h.CryptMethod != 0 || h.v3.AutoclearFeatures&1 == 1 || h.NbSnapshots != 0 {
		return "", 0, fmt.Errorf("tables of images with extended L2 entries, encryption, bitmaps, snapshots or data elsewhere are not counted: ask qemu-img check")
	}
	c := &clusters{from: from, h: h, fileSize: uint64(fileSize), bits: uint(h.ClusterBits)}
	if n := c.fileSize >> c.bits; n > 1<<26 {
		return "", 0, fmt.Errorf("%d clusters are too many to count: ask qemu-img check", n)
	}
	c.used = make([]uint32, ceil(c.fileSize, 1<<c.bits))
	c.counts = make([]uint64, len(c.used))
	c.use(0, uint64(h.v3.HeaderLength), "the header")
	c.use(h.L1TableOffset, uint64(h.L1Size)*8, "the L1 table")
	c.use(h.RefcountTableOffset, uint64(h.RefcountTableClusters)<<c.bits, "the refcount table")
	if err := c.readCounts(); err != nil {
		return "", 0, err
	}
	if err := c.walk(); err != nil {
		return "", 0, err
	}
	for n, used := range c.used {
		switch counted := c.counts[n]; {
		case counted < uint64(used):
			c.complain("cluster %d is used %d times and counted %d times", n, used, counted)
		case counted > uint64(used):
			leaked++
		}
	}
	if c.many > 1 {
		c.wrong += fmt.Sprintf("; and %d more", c.many-1)
	}
	return c.wrong, leaked, nil
}

func (c *clusters) complain(format string, args ...any) {
	if c.many++; c.many == 1 {
		c.wrong = fmt.Sprintf(format, args...)
	}
}

// use counts the clusters of a range. As for qemu-img check, the last one may end before
// its cluster does.
func (c *clusters) use(at, bytes uint64, who string) bool {
	if at >= c.fileSize || bytes > c.fileSize-at && bytes-(c.fileSize-at) >= 1<<c.bits {
		c.complain("%s is at %d and the file ends at %d", who, at, c.fileSize)
		return false
	}
	for n := at >> c.bits; n < ceil(at+bytes, 1<<c.bits) && n < uint64(len(c.used)); n++ {
		c.used[n]++
	}
	return true
}

// table reads a table of numbers. What lies behind the end of the file is zero.
func (c *clusters) table(at, bytes uint64) ([]uint64, error) {
	b := make([]byte, bytes)
	if _, err := c.from.ReadAt(b, int64(at)); err != nil && err != io.EOF {
		return nil, fmt.Errorf("cannot read table at %d: %w", at, err)
	}
	out := make([]uint64, bytes/8)
	for i := range out {
		out[i] = binary.BigEndian.Uint64(b[i*8:])
	}
	return out, nil
}

// aligned says whether a table may be at an offset, and counts it.
func (c *clusters) aligned(at uint64, who string) bool {
	if at&(1<<c.bits-1) != 0 {
		c.complain("%s is at %d, which is the begin of no cluster", who, at)
		return false
	}
	return c.use(at, 1<<c.bits, who)
}

func (c *clusters) readCounts() error {
	blocks, err := c.table(c.h.RefcountTableOffset, uint64(c.h.RefcountTableClusters)<<c.bits)
	if err != nil {
		return err
	}
	order := uint(c.h.v3.RefcountOrder)
	perBlock := uint64(1) << (c.bits + 3 - order)
	for i, at := range blocks {
		if at == 0 || !c.aligned(at, fmt.Sprintf("refcount block %d", i)) {
			continue
		}
		block := make([]byte, 1<<c.bits)
		if _, err := c.from.ReadAt(block, int64(at)); err != nil && err != io.EOF {
			return fmt.Errorf("cannot read refcount block %d: %w", i, err)
		}
		first := uint64(i) * perBlock
		for n := uint64(0); n < perBlock && first+n < uint64(len(c.counts)); n++ {
			c.counts[first+n] = number(block, n, order)
		}
	}
	return nil
}

// number is the nth number of 2^order bits, where those below a byte begin at its lowest bit.
func number(b []byte, n uint64, order uint) (v uint64) {
	if order < 3 {
		bit := n << order
		return uint64(b[bit>>3]) >> (bit & 7) & (1<<(1<<order) - 1)
	}
	width := uint64(1) << (order - 3)
	for _, one := range b[n*width : (n+1)*width] {
		v = v<<8 | uint64(one)
	}
	return v
}

// walk counts what the tables of the disk point to.
func (c *clusters) walk() error {
	l1, err := c.table(c.h.L1TableOffset, uint64(c.h.L1Size)*8)
	if err != nil {
		return err
	}
	for i, entry := range l1 {
		c.reserved(entry, reservedL1, "L2 table", i)
		at := entry & entryOffset
		if at == 0 || !c.aligned(at, fmt.Sprintf("L2 table %d", i)) {
			continue
		}
		c.alone(entry, at, "L2 table", i)
		l2, err := c.table(at, 1<<c.bits)
		if err != nil {
			return err
		}
		for j, entry := range l2 {
			c.data(entry, i*len(l2)+j)
		}
	}
	return nil
}

func (c *clusters) data(entry uint64, n int) {
	if entry&entryCompressed != 0 {
		c.reserved(entry, entryCopied, "compressed cluster", n)
		// The number of further sectors of 512 bytes is above the offset.
		shift := 62 - (c.bits - 8)
		at := entry & (1<<shift - 1)
		sectors := entry >> shift & (1<<(c.bits-8) - 1)
		c.use(at, (sectors+1)*512-at%512, fmt.Sprintf("compressed cluster %d", n))
		return
	}
	c.reserved(entry, reservedL2, "data cluster", n)
	if at := entry & entryOffset; at != 0 && c.aligned(at, fmt.Sprintf("data cluster %d", n)) {
		c.alone(entry, at, "data cluster", n)
	}
}

// reserved bits are zero; QEMU refuses entries in which they are not.
func (c *clusters) reserved(entry, mask uint64, what string, n int) {
	if bits := entry & mask; bits != 0 {
		c.complain("the entry of %s %d has the reserved bits %#x", what, n, bits)
	}
}

// alone compares the mark that a cluster has one user with the count: QEMU writes in place
// where it is set.
func (c *clusters) alone(entry, at uint64, what string, n int) {
	if counted := c.counts[at>>c.bits]; (entry&entryCopied != 0) != (counted == 1) {
		c.complain("%s %d at %d is counted %d times, and its mark says otherwise", what, n, at, counted)
	}
}
