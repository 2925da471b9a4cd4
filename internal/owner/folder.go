package owner

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// lockName is the file whose lock says that a folder's owner is alive. It holds
// the owner's process number.
const lockName = ".owner"

// Folder is a folder that belongs to one living process.
type Folder struct {
	Path string
	lock *os.File
}

// NewFolder makes a folder with a fresh name in dir, owned by this process
// until Remove or the process's death. The name is short, because a Unix
// socket's path may have 107 bytes.
func NewFolder(dir, prefix string) (*Folder, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("cannot make folder: %w", err)
	}
	path, err := os.MkdirTemp(dir, prefix)
	if err != nil {
		return nil, fmt.Errorf("cannot make folder: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(path, lockName), os.O_CREATE|os.O_RDWR|unix.O_CLOEXEC, 0o644)
	if err == nil {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	}
	if err == nil {
		_, err = fmt.Fprintln(f, os.Getpid())
	}
	if err != nil {
		if f != nil {
			f.Close()
		}
		os.RemoveAll(path)
		return nil, fmt.Errorf("cannot own folder %s: %w", path, err)
	}
	return &Folder{Path: path, lock: f}, nil
}

// Remove removes the folder and what is in it.
func (f *Folder) Remove() error {
	err := os.RemoveAll(f.Path)
	f.lock.Close()
	if err != nil {
		return fmt.Errorf("cannot remove folder: %w", err)
	}
	return nil
}

// Own lists the folders in dir that this process made with the prefix and has
// not removed.
func Own(dir, prefix string) []string {
	var own []string
	me := fmt.Sprintln(os.Getpid())
	locks, _ := filepath.Glob(filepath.Join(dir, prefix+"*", lockName))
	for _, lock := range locks {
		if b, err := os.ReadFile(lock); err == nil && string(b) == me {
			own = append(own, filepath.Dir(lock))
		}
	}
	return own
}

// Dead lists the folders in dir whose owners are dead.
func Dead(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot look for leftovers in %s: %w", dir, err)
	}
	var dead []string
	for _, e := range entries {
		if path := filepath.Join(dir, e.Name()); e.IsDir() && !Alive(path) {
			dead = append(dead, path)
		}
	}
	return dead, nil
}

// Sweep removes the folders in dir whose owners are dead, and returns their
// paths. A folder of a living owner is left alone.
func Sweep(dir string) ([]string, error) {
	dead, err := Dead(dir)
	if err != nil {
		return nil, err
	}
	for i, path := range dead {
		if err := os.RemoveAll(path); err != nil {
			return dead[:i], fmt.Errorf("cannot sweep %s: %w", path, err)
		}
	}
	return dead, nil
}

// Alive says whether a folder's owner holds its lock. A folder without a lock
// file is alive while it is empty: its owner is just making it.
func Alive(path string) bool {
	f, err := os.Open(filepath.Join(path, lockName))
	if err != nil {
		entries, err := os.ReadDir(path)
		return err == nil && len(entries) == 0
	}
	defer f.Close()
	return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil
}
