package snapshot

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/store/disk"
	"golang.org/x/sys/unix"
)

// makeRoom removes the snapshots that were not used for the longest time until the
// rest leave room for one more. It refuses to fill the disk.
func (s *Store) makeRoom() error {
	all, err := s.List()
	if err != nil {
		return err
	}
	slices.SortFunc(all, func(a, b *Snapshot) int { return a.used().Compare(b.used()) })
	var taken, largest int64
	for _, snap := range all {
		taken, largest = taken+snap.Size(), max(largest, snap.Size())
	}
	for {
		free, err := s.free()
		if err != nil {
			return err
		}
		full := int64(free) < s.Reserve
		if !full && (s.Limit == 0 || taken+largest <= s.Limit) {
			return nil
		}
		if len(all) == 0 {
			if full {
				return &disk.FullError{Path: s.dir, Free: free, Err: fmt.Errorf("snapshots leave %d MiB of it free", s.Reserve>>20)}
			}
			return nil
		}
		// One that someone is at work on stays.
		if err := s.Remove(all[0].Name); err == nil {
			taken -= all[0].Size()
		}
		all = all[1:]
	}
}

// free is how many bytes of the store's disk are free.
func (s *Store) free() (uint64, error) {
	var st unix.Statfs_t
	err := unix.Statfs(s.dir, &st)
	return st.Bavail * uint64(st.Bsize), err
}

// used is when a snapshot was last found, or made.
func (s *Snapshot) used() time.Time {
	st, err := os.Stat(filepath.Join(s.dir, manifestName))
	if err != nil {
		return time.Time{}
	}
	return st.ModTime()
}
