package imagecheck

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// image is an image that is open for reading.
type image struct {
	ctx      context.Context
	path     string
	file     *os.File
	format   string
	fileSize int64
	// qcow is the header, if it is a qcow2.
	qcow *qcowHeader
	// wrong and leaked are what counting its clusters showed, uncounted why it did not.
	wrong     string
	leaked    int
	uncounted error
	declared  Declared

	// disk is what a guest sees of it.
	disk  io.ReaderAt
	bytes int64
	table table
	// root is the root file system, and where it is; boots are the trees in which a boot
	// loader may have its configuration.
	root   *tree
	at     partition
	boots  []*tree
	family Family
	// release is PRETTY_NAME of os-release(5).
	release string
	// rootless says that nothing on the disk can be a root file system.
	rootless bool
	// missing says why rules cannot be asked that need something.
	missing [theRoot + 1]error
}

// largest is the disk that is still taken for one: a cloud image fits the smallest
// machine, and sizes beyond this are mistakes or traps.
const largest = 4 << 40

// smallest is the disk that can hold a system.
const smallest = 1 << 20

// readable is how many bytes are read of one image at most, through all its tables.
const readable = 16 << 30

// open opens an image as far as it can be read. An error says that there is no file.
func open(ctx context.Context, path string) (*image, error) {
	// A pipe that nobody writes to must not hold us, and a device is not ours to read.
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = fmt.Errorf("it is no regular file: copy the image into one")
	}
	if err == nil && st.Size() == 0 {
		err = fmt.Errorf("it is empty: fetch it again")
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	img := &image{ctx: ctx, path: path, file: f, fileSize: st.Size(), format: "raw"}
	img.missing[theDisk] = guarded(img.openDisk)
	if img.missing[theDisk] == nil {
		img.missing[theDisk] = guarded(img.readEnds)
	}
	if img.missing[theDisk] != nil {
		img.missing[theRoot] = img.missing[theDisk]
		return img, nil
	}
	img.missing[theRoot] = guarded(img.openRoot)
	return img, nil
}

func (img *image) openDisk() error {
	raw := &budget{ctx: img.ctx, from: img.file, left: readable}
	head := make([]byte, 512)
	if _, err := raw.ReadAt(head, 0); err != nil && err != io.EOF {
		return fmt.Errorf("cannot read its head: %w", err)
	}
	img.disk, img.bytes = raw, img.fileSize
	for _, known := range foreign {
		if strings.HasPrefix(string(head), known.magic) {
			img.format = known.name
			return fmt.Errorf("it is %s, neither raw nor qcow2", known.name)
		}
	}
	if !strings.HasPrefix(string(head), qcowMagic) {
		if held(raw, partition{}) == "" && string(head[510:]) != "\x55\xaa" {
			img.format = "unknown"
			return fmt.Errorf("it has neither partition table nor file system, and is no qcow2: it is no disk image")
		}
		return img.sized()
	}
	img.format = "qcow2"
	header, err := readQCOWHeader(raw)
	if err != nil {
		img.missing[theQCOW] = err
		return err
	}
	img.qcow = &header
	img.bytes = int64(min(header.Size, 1<<62))
	if err := img.sized(); err != nil {
		return err
	}
	if what := header.outside(); what != "" {
		return fmt.Errorf("its data is not all in the file: %s", what)
	}
	if img.disk, err = openQCOW(raw, header, img.fileSize); err != nil {
		return err
	}
	// What is read through tables that are wrong means nothing.
	if img.wrong, img.leaked, err = countClusters(raw, &header, img.fileSize); err == nil && img.wrong != "" {
		return fmt.Errorf("its tables are broken: %s", img.wrong)
	}
	img.uncounted = err
	return nil
}

// readEnds reads where partition tables are: what cannot be read is no broken table.
func (img *image) readEnds() error {
	const ends = 34 * sector
	for _, at := range []int64{0, img.bytes - ends} {
		if _, err := img.disk.ReadAt(make([]byte, ends), at); err != nil && err != io.EOF {
			return fmt.Errorf("its disk cannot be read at %d: %w", at, err)
		}
	}
	return nil
}

// sized refuses sizes that no reader should work on.
func (img *image) sized() error {
	if img.bytes > largest {
		return fmt.Errorf("a disk of %s is too large to look at", size(img.bytes))
	}
	if img.bytes < smallest {
		return fmt.Errorf("a disk of %d bytes is too small to hold a system", img.bytes)
	}
	return nil
}

// foreign are formats that a name or a mistake may hand us for a raw image.
var foreign = []struct{ magic, name string }{
	{"KDMV", "vmdk"}, {"# Disk DescriptorFile", "vmdk"}, {"conectix", "vpc"}, {"vhdxfile", "vhdx"}, {"<<< ", "vdi"}, {"QED\x00", "qed"},
	{"\x1f\x8b", "gzip"}, {"\xfd7zXZ\x00", "xz"}, {"\x28\xb5\x2f\xfd", "zstd"}, {"BZh", "bzip2"}, {"PK\x03\x04", "zip"},
	{"<!DOCTYPE", "HTML"}, {"<html", "HTML"}, {"\x7fELF", "ELF"},
}

// budget reads no more than so many bytes, and nothing once ctx has ended: tables of an
// image can send a reader in circles.
type budget struct {
	ctx  context.Context
	from io.ReaderAt
	left int64
}

// ReadAt reads.
func (b *budget) ReadAt(p []byte, off int64) (int, error) {
	if err := b.ctx.Err(); err != nil {
		return 0, err
	}
	// A read of nothing costs, too.
	if b.left -= int64(len(p)) + 64; b.left < 0 {
		return 0, fmt.Errorf("reading it takes more than %s: its tables go in circles", size(readable))
	}
	return b.from.ReadAt(p, off)
}

func size(n int64) string {
	for _, unit := range []struct {
		bytes int64
		name  string
	}{{1 << 60, "EiB"}, {1 << 40, "TiB"}, {1 << 30, "GiB"}, {1 << 20, "MiB"}} {
		if n >= unit.bytes {
			return fmt.Sprintf("%.4g %s", float64(n)/float64(unit.bytes), unit.name)
		}
	}
	return fmt.Sprintf("%d bytes", n)
}
