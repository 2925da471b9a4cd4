package snapshot

import (
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// stamp changes when a file does (stat(2): nothing sets the time of the last
// status change but the kernel's clock).
type stamp struct {
	dev, ino         uint64
	size             int64
	modified, change unix.Timespec
}

func stampOf(f *os.File) (stamp, error) {
	var st unix.Stat_t
	err := unix.Fstat(int(f.Fd()), &st)
	return stamp{st.Dev, st.Ino, st.Size, st.Mtim, st.Ctim}, err
}

// seen are the files that this process has verified, each with its digest.
type seen struct {
	mu    sync.Mutex
	files map[stamp]string
}

func (s *seen) has(f stamp, sum string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.files[f] == sum
}

// settled is after how long a change shows in the time of the next: kernels before
// 6.13 count it in ticks.
const settled = time.Second

// add remembers a file, unless it was changed so lately that it could be changed
// again in the same tick.
func (s *seen) add(f stamp, sum string) {
	if time.Since(time.Unix(f.change.Unix())) < settled {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.files == nil {
		s.files = map[stamp]string{}
	}
	s.files[f] = sum
}

// Verified is an image that someone has mapped. What is written to its file later
// shows in each page of the mapping that was not written to there (mmap(2),
// MAP_PRIVATE).
type Verified struct {
	snapshot, name string
	image          *os.File
	was            stamp
}

// Unchanged is nil while nothing was written to the image's file since it was
// verified: it has its size, and the time of its last write. To rename or remove
// the snapshot changes neither. A writer that puts the time back is not seen, and
// nothing is once the image is closed.
func (v *Verified) Unchanged() error {
	is, err := v.image.Stat()
	if err != nil {
		return nil
	}
	if written := time.Unix(v.was.modified.Unix()); is.Size() != v.was.size || !is.ModTime().Equal(written) {
		return fmt.Errorf("file %s of snapshot %s was changed under it at %s", v.name, v.snapshot, is.ModTime().Format(time.DateTime))
	}
	return nil
}
