package snapshot

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"

	"golang.org/x/crypto/blake2b"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// The grains of an image, in bytes: a page is kept when it holds more than zeros,
// a chunk is read at once, and segments are digested side by side.
const (
	pageSize    = 4 << 10
	chunkSize   = 1 << 20
	segmentSize = 64 << 20
)

// digestImage returns the digest of an image's size and of those of its pages
// that hold more than zeros, and how many bytes these are: where the file system
// has holes makes no difference. With keep it writes these pages there, at their
// places.
func digestImage(image io.ReaderAt, data func(from int64) (int64, error), size int64, keep io.WriterAt) (sum string, kept int64, err error) {
	type segment struct {
		Sum  [blake2b.Size256]byte
		Kept int64
	}
	segments := make([]segment, (size+segmentSize-1)/segmentSize)
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i := range segments {
		group.Go(func() error {
			h := newHash()
			at := int64(i) * segmentSize
			err := runs(image, data, at, min(at+segmentSize, size), func(at int64, run []byte) error {
				segments[i].Kept += int64(len(run))
				_ = binary.Write(h, binary.LittleEndian, [2]int64{at, int64(len(run))})
				_, _ = h.Write(run)
				if keep == nil {
					return nil
				}
				_, err := keep.WriteAt(run, at)
				return err
			})
			h.Sum(segments[i].Sum[:0])
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return "", 0, err
	}
	h := newHash()
	_ = binary.Write(h, binary.LittleEndian, size)
	for _, s := range segments {
		kept += s.Kept
		_, _ = h.Write(s.Sum[:])
	}
	return hex.EncodeToString(h.Sum(nil)), kept, nil
}

// runs hands out the pages between two places of an image that hold more than
// zeros, those that follow each other in one chunk together.
func runs(image io.ReaderAt, data func(from int64) (int64, error), from, to int64, use func(at int64, run []byte) error) error {
	chunk := make([]byte, chunkSize)
	for at := from; at < to; at += chunkSize {
		start, err := data(at)
		if errors.Is(err, unix.ENXIO) {
			return nil // only a hole is left
		}
		if err != nil {
			return err
		}
		if at = max(at, start-start%chunkSize); at >= to {
			return nil
		}
		b := chunk[:min(chunkSize, to-at)]
		if _, err := image.ReadAt(b, at); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if err := runsOf(b, func(i int, run []byte) error { return use(at+int64(i), run) }); err != nil {
			return err
		}
	}
	return nil
}

var zeros = make([]byte, pageSize)

// runsOf hands out the pages of a chunk that hold more than zeros.
func runsOf(b []byte, use func(at int, run []byte) error) error {
	start := -1
	for i := 0; i <= len(b); i += pageSize {
		page := b[i:min(i+pageSize, len(b))]
		empty := bytes.Equal(page, zeros[:len(page)])
		if !empty && start < 0 {
			start = i
		}
		if empty && start >= 0 {
			if err := use(start, b[start:i]); err != nil {
				return err
			}
			start = -1
		}
		if !empty && i+pageSize >= len(b) {
			return use(start, b[start:])
		}
	}
	return nil
}

// dataOf tells where a file holds data (lseek(2), SEEK_DATA).
func dataOf(f *os.File) func(from int64) (int64, error) {
	return func(from int64) (int64, error) { return unix.Seek(int(f.Fd()), from, unix.SEEK_DATA) }
}

// Copy adds a sparse copy of an image, which must not change meanwhile.
func (d *Draft) Copy(name string, image *os.File) error {
	file, err := d.copy(name, image)
	if err != nil {
		return fmt.Errorf("cannot copy %s: %w", name, err)
	}
	d.files = append(d.files, file)
	return nil
}

func (d *Draft) copy(name string, image *os.File) (File, error) {
	out, err := d.create(name)
	if err != nil {
		return File{}, err
	}
	defer out.Close()
	st, err := image.Stat()
	if err == nil {
		err = out.Truncate(st.Size())
	}
	if err != nil {
		return File{}, err
	}
	sum, kept, err := digestImage(image, dataOf(image), st.Size(), out)
	if err != nil {
		return File{}, err
	}
	return File{Name: name, Size: st.Size(), Image: true, Data: kept, BLAKE2b: sum}, out.Close()
}

// CopyTo makes a file that is a sparse copy of an image of the snapshot, verified.
func (s *Snapshot) CopyTo(name, path string) error {
	f, want, err := s.openImage(name)
	if err != nil {
		return err
	}
	defer f.Close()
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	defer out.Close()
	if err := out.Truncate(want.Size); err != nil {
		return err
	}
	sum, _, err := digestImage(f, dataOf(f), want.Size, out)
	if at := new(os.PathError); errors.As(err, &at) && at.Path == path {
		return err // not the snapshot's fault
	}
	return s.verify(want, sum, err)
}

// Image opens an image of the snapshot, to be mapped and not to be written to.
// Verify says whether it is what it was.
func (s *Snapshot) Image(name string) (*os.File, error) {
	f, _, err := s.openImage(name)
	return f, err
}

func (s *Snapshot) openImage(name string) (*os.File, File, error) {
	want, err := s.file(name)
	if err != nil {
		return nil, want, err
	}
	f, err := s.open(want)
	return f, want, err
}

// Verify digests an image that was opened with Image. One that this process has
// verified and that has not been touched since is not digested again.
func (s *Snapshot) Verify(name string, image *os.File) (*Verified, error) {
	want, err := s.file(name)
	if err != nil {
		return nil, err
	}
	before, err := stampOf(image)
	if err != nil {
		return nil, s.bad(err)
	}
	verified := &Verified{s.Name, name, image, before}
	if s.seen.has(before, want.BLAKE2b) {
		return verified, nil
	}
	sum, _, err := digestImage(image, dataOf(image), want.Size, nil)
	if err := s.verify(want, sum, err); err != nil {
		return nil, err
	}
	after, err := stampOf(image)
	if err == nil && after == before {
		s.seen.add(before, want.BLAKE2b)
	}
	return verified, nil
}

// verify compares a digest with the manifest's.
func (s *Snapshot) verify(want File, sum string, err error) error {
	switch {
	case err != nil:
		return s.bad(err)
	case sum != want.BLAKE2b:
		return s.bad(fmt.Errorf("file %s has blake2b %.16s, its manifest says %.16s", want.Name, sum, want.BLAKE2b))
	}
	return nil
}
