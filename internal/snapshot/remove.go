package snapshot

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/store/disk"
)

// Remove deletes a snapshot. A host that is being restored from it does not
// notice: it holds the files open, or does without.
func (s *Store) Remove(name string) error {
	return s.removing(name, func() error { return s.remove(name) })
}

// removing holds the lock of a snapshot while it is removed.
func (s *Store) removing(name string, remove func() error) error {
	op := "remove snapshot " + name
	if name != filepath.Base(name) || strings.HasPrefix(name, ".") || name == locksName {
		return fault.Infraf(op, "it is not the name of a snapshot")
	}
	release, ok, err := disk.TryLock(s.lock(name))
	if err != nil {
		return fault.Infraf(op, "%w", err)
	}
	if !ok {
		return fault.Infraf(op, "another process is at work on it")
	}
	defer release()
	if err := remove(); err != nil {
		return fault.Infraf(op, "%w", disk.Explain(err, s.dir))
	}
	return nil
}

func (s *Store) remove(name string) error {
	// Renamed first, so that no one sees a snapshot with half its files.
	draft := s.path(draftPrefix + name)
	err := os.RemoveAll(draft)
	if err == nil {
		err = os.Rename(s.path(name), draft)
	}
	if err == nil {
		err = os.RemoveAll(draft)
	}
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// What a snapshot's folder tells of its use: workedName that a host was restored
// from it, refusedName, which is all that is left then, that none ever will be.
const (
	workedName  = "worked"
	refusedName = "refused"
)

func (s *Snapshot) has(name string) bool {
	_, err := os.Lstat(filepath.Join(s.dir, name))
	return err == nil
}

// Worked remembers that a host was restored from the snapshot.
func (s *Snapshot) Worked() {
	if !s.has(workedName) {
		// Without it, one that is refused some day is not made again, and that is told.
		_ = os.WriteFile(filepath.Join(s.dir, workedName), nil, 0o600)
	}
}

// Quarantine removes a snapshot that cannot be used. One that the emulator refuses
// and that never worked would be refused each time it is made: forGood says that
// Make does not, until Remove takes away what is left of it.
func (s *Store) Quarantine(bad *BadError) (forGood bool, err error) {
	name := bad.Snapshot
	snap := &Snapshot{Name: name, dir: s.path(name)}
	forGood = bad.refused && !snap.has(workedName)
	return forGood, s.removing(name, func() error {
		if err := s.remove(name); err != nil || !forGood {
			return err
		}
		if err := os.Mkdir(snap.dir, 0o700); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(snap.dir, refusedName), fmt.Appendln(nil, bad), 0o600)
	})
}
