// Package disk holds what the image store and the package cache share: locks
// between processes, digests of files, and writes that survive a power cut.
package disk

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Lock waits until this process alone holds the lock file at path, making the
// file when needed. The lock dies with the process, whatever kills it. It
// returns the function that releases the lock, or ctx's error.
func Lock(ctx context.Context, path string) (release func(), err error) {
	return lock(ctx, path, unix.LOCK_EX)
}

// Share is Lock beside others that share: it keeps out who wants the lock alone.
func Share(ctx context.Context, path string) (release func(), err error) {
	return lock(ctx, path, unix.LOCK_SH)
}

func lock(ctx context.Context, path string, how int) (release func(), err error) {
	f, err := openLock(path)
	if err != nil {
		return nil, err
	}
	got := make(chan error, 1)
	go func() { got <- flock(f, how) }()
	select {
	case err := <-got:
		if err != nil {
			f.Close()
			return nil, fmt.Errorf("cannot lock %s: %w", path, err)
		}
		return func() { f.Close() }, nil
	case <-ctx.Done():
		// A waiting flock cannot be called off: when it is granted, give it back.
		go func() { <-got; f.Close() }()
		return nil, fmt.Errorf("cannot lock %s: %w", path, ctx.Err())
	}
}

// TryLock is Lock without waiting: ok is false when another process, or
// another part of this one, holds or shares the lock.
func TryLock(path string) (release func(), ok bool, err error) {
	f, err := openLock(path)
	if err != nil {
		return nil, false, err
	}
	err = flock(f, unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		return func() { f.Close() }, true, nil
	}
	f.Close()
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, false, nil
	}
	return nil, false, fmt.Errorf("cannot lock %s: %w", path, err)
}

func openLock(path string) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("cannot make lock folder: %w", err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("cannot open lock: %w", err)
	}
	return f, nil
}

func flock(f *os.File, how int) error {
	for {
		err := unix.Flock(int(f.Fd()), how)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// Digest returns the SHA-256 of a file, in hex, and its size in bytes.
func Digest(path string) (sum string, size int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", 0, fmt.Errorf("cannot read file: %w", err)
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, f)
	if err != nil {
		return "", 0, fmt.Errorf("cannot read file: %w", err)
	}
	return hex.EncodeToString(h.Sum(nil)), n, nil
}

// DigestTree returns the SHA-256, in hex, of all that is below dir: names, kinds,
// permissions, owners, where links lead, and what files hold.
func DigestTree(dir string) (string, error) {
	h := sha256.New()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		var holds string
		switch {
		case info.Mode().IsRegular():
			holds, _, err = Digest(path)
		case info.Mode().Type() == fs.ModeSymlink:
			holds, err = os.Readlink(path)
		}
		owner := info.Sys().(*syscall.Stat_t)
		fmt.Fprintf(h, "%q %s %d:%d %q\n", rel, info.Mode(), owner.Uid, owner.Gid, holds)
		return err
	})
	if err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// SyncTree flushes every file and folder below dir, and dir itself, to disk.
func SyncTree(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("cannot flush %s: %w", dir, err)
		}
		if d.IsDir() || d.Type().IsRegular() {
			return Sync(path)
		}
		return nil
	})
}

// Sync flushes one file or folder to disk.
func Sync(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("cannot flush file: %w", err)
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		return fmt.Errorf("cannot flush %s: %w", path, err)
	}
	return nil
}

// FullError says that the disk which holds Path is full.
type FullError struct {
	Path string
	// Free is what was left when the error was seen, in bytes.
	Free uint64
	Err  error
}

// Error names the disk, what is left on it, and the cure.
func (e *FullError) Error() string {
	return fmt.Sprintf("the disk that holds %s is full (%d MiB free); make room, for example with `virtmatrix gc`: %v", e.Path, e.Free>>20, e.Err)
}

// Unwrap returns the error that the full disk caused.
func (e *FullError) Unwrap() error { return e.Err }

// Explain turns an error that a full disk caused into a FullError about path,
// and returns any other error as it is. Tools report a full disk only in
// words, so the words count too.
func Explain(err error, path string) error {
	if err == nil {
		return nil
	}
	var full *FullError
	if errors.As(err, &full) {
		return err
	}
	if !errors.Is(err, unix.ENOSPC) && !errors.Is(err, unix.EDQUOT) &&
		!strings.Contains(err.Error(), unix.ENOSPC.Error()) && !strings.Contains(err.Error(), "No space left on device") {
		return err
	}
	return &FullError{Path: path, Free: free(path), Err: err}
}

// free returns the bytes free for use on the disk that holds path, 0 when unknown.
func free(path string) uint64 {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return 0
	}
	return st.Bavail * uint64(st.Bsize)
}
