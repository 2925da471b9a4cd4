package snapshot

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/crypto/blake2b"
	"golang.org/x/sys/unix"
)

// Draft is a snapshot that is being written.
type Draft struct {
	dir   string
	files []File
}

// Write adds a file with what fill writes.
func (d *Draft) Write(name string, fill func(io.Writer) error) error {
	f, err := d.create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	c := newCounter()
	if err := fill(io.MultiWriter(f, c)); err != nil {
		return fmt.Errorf("cannot write %s: %w", name, err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("cannot write %s: %w", name, err)
	}
	d.files = append(d.files, File{Name: name, Size: c.n, BLAKE2b: c.sum()})
	return nil
}

func (d *Draft) create(name string) (*os.File, error) {
	return os.OpenFile(filepath.Join(d.dir, name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
}

// counter counts and hashes what passes.
type counter struct {
	h hash.Hash
	n int64
}

func newCounter() *counter { return &counter{h: newHash()} }

func newHash() hash.Hash {
	h, err := blake2b.New256(nil)
	if err != nil {
		panic(err) // only a key can be wrong
	}
	return h
}

// Write implements io.Writer.
func (c *counter) Write(b []byte) (int, error) {
	c.n += int64(len(b))
	return c.h.Write(b)
}

func (c *counter) sum() string { return hex.EncodeToString(c.h.Sum(nil)) }

// Snapshot is a whole snapshot in a store.
type Snapshot struct {
	Name     string
	Manifest Manifest
	dir      string
	seen     *seen
}

// Size is how many bytes the snapshot takes, 0 when its manifest is no good.
func (s *Snapshot) Size() int64 {
	var n int64
	for _, f := range s.Manifest.Files {
		if f.Image {
			n += f.Data
		} else {
			n += f.Size
		}
	}
	return n
}

// Useless is the error of a snapshot that is whole, and whose host comes to nothing.
func (s *Snapshot) Useless(err error) error {
	var bad *BadError
	if errors.As(err, &bad) {
		return err
	}
	return s.bad(err)
}

// Refused is the error of a snapshot that is whole, and that the emulator does not
// take.
func (s *Snapshot) Refused(err error) error {
	err = s.Useless(err)
	var bad *BadError
	if errors.As(err, &bad) {
		bad.refused = true
	}
	return err
}

// bad is a BadError, unless this process or the machine lacked what it takes to
// read a snapshot.
func (s *Snapshot) bad(err error) error {
	for _, lack := range []error{unix.EMFILE, unix.ENFILE, unix.ENOMEM} {
		if errors.Is(err, lack) {
			return fmt.Errorf("cannot read snapshot %s: %w", s.Name, err)
		}
	}
	return &BadError{Snapshot: s.Name, Err: err}
}

// check looks at what can be seen without reading the files.
func (s *Snapshot) check() error {
	m := s.Manifest
	if m.Format != format {
		return s.bad(fmt.Errorf("it has format %d, this version reads %d", m.Format, format))
	}
	var identity bytes.Buffer
	if err := json.Compact(&identity, m.Identity); err != nil {
		return s.bad(fmt.Errorf("its identity does not read: %w", err))
	}
	if own := keyOf(identity.Bytes()); own != m.Key {
		return s.bad(fmt.Errorf("its key is %.16s, its identity's is %.16s", m.Key, own))
	}
	for _, f := range m.Files {
		if f.Name != filepath.Base(f.Name) {
			return s.bad(fmt.Errorf("its manifest names the file %q", f.Name))
		}
		st, err := os.Lstat(filepath.Join(s.dir, f.Name))
		switch {
		case err != nil:
			return s.bad(err)
		case !st.Mode().IsRegular() || st.Size() != f.Size:
			return s.bad(fmt.Errorf("file %s has %d bytes, its manifest says %d", f.Name, st.Size(), f.Size))
		}
	}
	return nil
}

// Read hands a file's content to use, and verifies it while it is read: what use
// did counts only when Read returns nil. The error is a *BadError when the file
// is not what the manifest says, whatever use returned, and use's own otherwise.
func (s *Snapshot) Read(name string, use func(io.Reader) error) error {
	want, err := s.file(name)
	if err != nil {
		return err
	}
	f, err := s.open(want)
	if err != nil {
		return err
	}
	defer f.Close()
	c := newCounter()
	// A file that grew is seen by its first byte too many.
	r := io.TeeReader(io.LimitReader(f, want.Size+1), c)
	used := use(r)
	if _, err := io.Copy(io.Discard, r); err != nil {
		return s.bad(err)
	}
	if c.n != want.Size {
		return s.bad(fmt.Errorf("file %s has %d bytes, its manifest says %d", want.Name, c.n, want.Size))
	}
	if err := s.verify(want, c.sum(), nil); err != nil {
		return err
	}
	return used
}

func (s *Snapshot) file(name string) (File, error) {
	for _, f := range s.Manifest.Files {
		if f.Name == name {
			return f, nil
		}
	}
	return File{}, s.bad(fmt.Errorf("it has no file %s", name))
}

func (s *Snapshot) open(want File) (*os.File, error) {
	f, err := os.Open(filepath.Join(s.dir, want.Name))
	if err != nil {
		return nil, s.bad(err)
	}
	return f, nil
}
