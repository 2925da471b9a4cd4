// Package snapshot keeps the states of ready hosts, so that a pristine host is a
// restored one and not a booted one.
//
// A snapshot is a folder of files with a manifest. Its name is the hash of all
// that its state depends on, so one that is found fits. It appears under its name
// only when it is whole, one process makes it, and each use verifies every byte.
// It is a cache: nothing is flushed to disk on its behalf, one that a power cut
// tore does not verify and is made again.
package snapshot

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/store/disk"
	"golang.org/x/crypto/blake2b"
)

// format is the version of what this package writes.
const format = 2

const (
	manifestName = "manifest.json"
	locksName    = "locks"
	draftPrefix  = ".draft-"
)

// DefaultReserve is what must stay free on the disk, in bytes: images, logs and
// the disks of hosts matter more than the next boot's speed. DefaultLimit is what
// all snapshots may take: some sixty hosts'.
const (
	DefaultReserve = 4 << 30
	DefaultLimit   = 20 << 30
)

// Subject is what a snapshot is of.
type Subject struct {
	kind     string
	identity json.RawMessage
	images   []string
}

// NewSubject makes a subject of a value that holds all that the state depends on,
// in its JSON. kind starts the snapshot's name, for people. images are the SHA-256
// of the images that the host has mounted: part of the identity, and listed in the
// manifest for those who clean up.
func NewSubject(kind string, identity any, images []string) (Subject, error) {
	text, err := json.Marshal(identity)
	if err != nil {
		return Subject{}, fmt.Errorf("cannot name snapshot: %w", err)
	}
	return Subject{kind, text, images}, nil
}

// Key is the address of the subject's snapshot.
func (s Subject) Key() string { return keyOf(s.identity) }

func keyOf(identity []byte) string {
	sum := blake2b.Sum256(identity)
	return hex.EncodeToString(sum[:])
}

// Name is the snapshot's folder: KIND-KEY16.
func (s Subject) Name() string { return fmt.Sprintf("%s-%.16s", s.kind, s.Key()) }

// Manifest is a snapshot's record, which is written last.
type Manifest struct {
	Format   int             `json:"format"`
	Key      string          `json:"key"`
	Identity json.RawMessage `json:"identity"`
	Images   []string        `json:"images"`
	Files    []File          `json:"files"`
	Created  time.Time       `json:"created"`
}

// File is one file of a snapshot. Its digest is BLAKE2b-256, which is several
// times faster than SHA-256 on processors that have no instructions for it; that
// of an image is of its pages that hold more than zeros.
type File struct {
	Name string `json:"name"`
	// Size is in bytes. An image takes Data bytes of them.
	Size    int64  `json:"size"`
	Image   bool   `json:"image,omitempty"`
	Data    int64  `json:"data,omitempty"`
	BLAKE2b string `json:"blake2b"`
}

// BadError says that a snapshot cannot be used: it is torn, was changed, is of
// something else, or the emulator does not take it.
type BadError struct {
	Snapshot string
	Err      error
	refused  bool
}

// Error names the snapshot and what is wrong with it.
func (e *BadError) Error() string {
	return fmt.Sprintf("snapshot %s cannot be used: %v", e.Snapshot, e.Err)
}

// Unwrap returns what is wrong.
func (e *BadError) Unwrap() error { return e.Err }

// Store is a folder of snapshots.
type Store struct {
	dir string
	// Reserve is what must stay free on the store's disk, Limit what the snapshots
	// may take together, in bytes; 0 for as much as there is. Those that were not
	// used for the longest time make room for a new one.
	Reserve, Limit int64
	seen           seen
}

// In is the store in a folder, which need not exist yet.
func In(dir string) *Store { return &Store{dir: dir, Reserve: DefaultReserve, Limit: DefaultLimit} }

func (s *Store) path(name string) string { return filepath.Join(s.dir, name) }

func (s *Store) lock(name string) string { return filepath.Join(s.dir, locksName, name+".lock") }

// Find returns the snapshot of a subject. The error wraps os.ErrNotExist when
// there is none, and is a *BadError when the one that is there is no good. What
// its files hold is verified when they are read.
func (s *Store) Find(of Subject) (*Snapshot, error) {
	snap, err := s.load(of.Name())
	if err != nil {
		return nil, err
	}
	if snap.Manifest.Key != of.Key() {
		return nil, snap.bad(fmt.Errorf("its manifest is of %.16s, wanted is %.16s", snap.Manifest.Key, of.Key()))
	}
	// When it was last used only decides which goes first.
	now := time.Now()
	_ = os.Chtimes(filepath.Join(snap.dir, manifestName), now, now)
	return snap, nil
}

// load reads a snapshot's manifest and looks at the sizes of its files.
func (s *Store) load(name string) (*Snapshot, error) {
	snap := &Snapshot{Name: name, dir: s.path(name), seen: &s.seen}
	text, err := os.ReadFile(filepath.Join(snap.dir, manifestName))
	if errors.Is(err, os.ErrNotExist) {
		if _, statErr := os.Stat(snap.dir); statErr != nil || snap.has(refusedName) {
			return nil, fmt.Errorf("cannot find snapshot: %w", err)
		}
		return nil, snap.bad(errors.New("it has no manifest"))
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read manifest of snapshot: %w", err)
	}
	if err := json.Unmarshal(text, &snap.Manifest); err != nil {
		return nil, snap.bad(fmt.Errorf("its manifest does not read: %w", err))
	}
	return snap, snap.check()
}

// Make writes the snapshot of a subject and returns whether it did: not when
// another process is making it now, or when it is there. What a failed write left
// is removed.
func (s *Store) Make(of Subject, write func(*Draft) error) (made bool, err error) {
	name := of.Name()
	op := "make snapshot " + name
	if err := s.Sweep(); err != nil {
		return false, fault.Infraf(op, "%w", disk.Explain(err, s.dir))
	}
	release, ok, err := disk.TryLock(s.lock(name))
	if err != nil {
		return false, fault.Infraf(op, "%w", disk.Explain(err, s.dir))
	}
	if !ok {
		return false, nil
	}
	defer release()
	if _, err := os.Lstat(s.path(name)); err == nil {
		return false, nil
	}
	if err := s.write(of, write); err != nil {
		return false, fault.Infraf(op, "%w", disk.Explain(err, s.dir))
	}
	return true, nil
}

// write makes the snapshot next to its place and moves it there. The caller
// holds the snapshot's lock.
func (s *Store) write(of Subject, write func(*Draft) error) (err error) {
	if err := s.makeRoom(); err != nil {
		return err
	}
	d := &Draft{dir: s.path(draftPrefix + of.Name())}
	if err := os.RemoveAll(d.dir); err != nil {
		return err
	}
	if err := os.Mkdir(d.dir, 0o700); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(d.dir))
		}
	}()
	if err := write(d); err != nil {
		return err
	}
	text, err := json.MarshalIndent(Manifest{
		Format: format, Key: of.Key(), Identity: of.identity, Images: of.images, Files: d.files, Created: time.Now().UTC(),
	}, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(d.dir, manifestName), append(text, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(d.dir, s.path(of.Name()))
}

// List returns the snapshots by name, also those that cannot be used: theirs is
// the name alone.
func (s *Store) List() ([]*Snapshot, error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fault.Infraf("list snapshots", "%w", err)
	}
	var all []*Snapshot
	for _, e := range entries {
		if !e.IsDir() || e.Name() == locksName || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		snap, err := s.load(e.Name())
		if err != nil {
			snap = &Snapshot{Name: e.Name(), dir: s.path(e.Name())}
		}
		all = append(all, snap)
	}
	return all, nil
}

// Sweep removes what killed processes were writing or removing.
func (s *Store) Sweep() error {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	drafts, err := filepath.Glob(s.path(draftPrefix + "*"))
	if err != nil {
		return err
	}
	for _, path := range drafts {
		release, ok, err := disk.TryLock(s.lock(strings.TrimPrefix(filepath.Base(path), draftPrefix)))
		if err != nil {
			return err
		}
		if !ok {
			continue // its writer lives
		}
		err = os.RemoveAll(path)
		release()
		if err != nil {
			return fmt.Errorf("cannot remove what a killed process left: %w", err)
		}
	}
	return nil
}
