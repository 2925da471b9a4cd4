package snapshot

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// blockSize is the grain of a packed disk image, in bytes.
const blockSize = 64 << 10

// last is the offset of the record that ends a packed disk image.
const last = ^uint64(0)

// Pack writes a sparse disk image without its holes: its size, then the blocks
// that hold more than zeros, each with its offset and length, all numbers in 64
// bits, little-endian.
func Pack(w io.Writer, image *os.File) error {
	st, err := image.Stat()
	if err != nil {
		return fmt.Errorf("cannot pack disk image: %w", err)
	}
	out := bufio.NewWriterSize(w, 1<<20)
	err = numbers(out, uint64(st.Size()))
	if err == nil {
		err = packData(out, image, st.Size())
	}
	if err == nil {
		err = numbers(out, last, 0)
	}
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		return fmt.Errorf("cannot pack disk image: %w", err)
	}
	return nil
}

func numbers(w io.Writer, ns ...uint64) error { return binary.Write(w, binary.LittleEndian, ns) }

// packData packs the parts of an image that the file system holds data for.
func packData(w io.Writer, image *os.File, size int64) error {
	zeros, block := make([]byte, blockSize), make([]byte, blockSize)
	for at := int64(0); at < size; {
		start, err := unix.Seek(int(image.Fd()), at, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) {
			return nil // only a hole is left
		}
		if err != nil {
			return err
		}
		at = start - start%blockSize
		n, err := image.ReadAt(block, at)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if !bytes.Equal(block[:n], zeros[:n]) {
			if err := numbers(w, uint64(at), uint64(n)); err != nil {
				return err
			}
			if _, err := w.Write(block[:n]); err != nil {
				return err
			}
		}
		at += blockSize
	}
	return nil
}

// Unpack makes an empty file the image that Pack was given.
func Unpack(r io.Reader, image *os.File) error {
	in := bufio.NewReaderSize(r, 1<<20)
	var size uint64
	if err := binary.Read(in, binary.LittleEndian, &size); err != nil {
		return fmt.Errorf("cannot unpack disk image: %w", err)
	}
	if err := image.Truncate(int64(size)); err != nil {
		return fmt.Errorf("cannot unpack disk image: %w", err)
	}
	block := make([]byte, blockSize)
	for {
		var at struct{ Offset, Length uint64 }
		if err := binary.Read(in, binary.LittleEndian, &at); err != nil {
			return fmt.Errorf("cannot unpack disk image: %w", err)
		}
		if at.Offset == last {
			return nil
		}
		if at.Length > blockSize || at.Offset > size || at.Length > size-at.Offset {
			return fmt.Errorf("cannot unpack disk image: a block of %d bytes at %d does not fit in", at.Length, at.Offset)
		}
		if _, err := io.ReadFull(in, block[:at.Length]); err != nil {
			return fmt.Errorf("cannot unpack disk image: %w", err)
		}
		if _, err := image.WriteAt(block[:at.Length], int64(at.Offset)); err != nil {
			return fmt.Errorf("cannot unpack disk image: %w", err)
		}
	}
}
