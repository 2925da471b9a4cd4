package container

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/source/tool"
	"github.com/virtmatrix/virtmatrix/internal/store/disk"
)

// views is the folder of the cache that holds bundles as folders, and next to each
// a file with its digest.
func views(home string) string { return filepath.Join(home, "views") }

// ViewName is the name of the folder of a bundle, whose SHA-256 is sum.
func ViewName(sum string) string { return sum[:min(len(sum), tagDigits)] }

const (
	// draftSuffix ends the name of a bundle's folder that is being filled.
	draftSuffix = ".draft"
	// digestSuffix ends the name of the file with a folder's digest.
	digestSuffix = ".sha256"
)

// viewLock is held by who fills or removes the folder of the name, and shared by who
// uses it.
func viewLock(home, name string) string {
	return filepath.Join(home, "locks", "view-"+name+".lock")
}

// ChangedViewError says that an unpacked bundle is not what was unpacked. It is not
// unpacked again by itself: containers may run on it.
type ChangedViewError struct {
	Dir string
	Err error
}

// Error names the folder and the cure.
func (e *ChangedViewError) Error() string {
	return fmt.Sprintf("the unpacked bundle %s was changed on disk: %v; when no run uses it, `virtmatrix gc` removes it and it will be unpacked again", e.Dir, e.Err)
}

// Unwrap returns what is wrong with the folder.
func (e *ChangedViewError) Unwrap() error { return e.Err }

// view returns the folder that a bundle's squashfs is unpacked in, whose SHA-256
// is sum: containers see it where a machine mounts the image. It is unpacked once,
// and verified each time. Nobody removes it before it is released.
func view(ctx context.Context, squashfs, sum, home string) (dir string, release func(), err error) {
	op := "unpack " + squashfs
	if len(sum) < tagDigits {
		return "", nil, fault.Infraf(op, "its digest is not known")
	}
	dir = filepath.Join(views(home), ViewName(sum))
	lock := viewLock(home, ViewName(sum))
	for {
		if release, err = use(ctx, dir, lock); err != nil {
			return "", nil, infra("use bundle", disk.Explain(err, home))
		}
		if release != nil {
			break
		}
		if err := unpackOnce(ctx, squashfs, dir, lock); err != nil {
			return "", nil, infra(op, disk.Explain(err, home))
		}
	}
	if err := VerifyView(dir); err != nil {
		release()
		return "", nil, infra("use bundle", err)
	}
	return dir, release, nil
}

// use shares a folder's lock; nil says that there is no folder. It waits for who
// fills or removes it.
func use(ctx context.Context, dir, lock string) (release func(), err error) {
	release, err = disk.Share(ctx, lock)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(dir); err != nil {
		release()
		if errors.Is(err, os.ErrNotExist) {
			return nil, nil
		}
		return nil, err
	}
	return release, nil
}

// unpackOnce unpacks a squashfs into a folder, unless that is there or another is at
// it. It waits for nobody: who uses the folder keeps the lock for long.
func unpackOnce(ctx context.Context, squashfs, dir, lock string) error {
	release, free, err := disk.TryLock(lock)
	if err != nil || !free {
		return err
	}
	defer release()
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	draft := dir + draftSuffix
	if err := unpack(ctx, squashfs, draft); err != nil {
		return err
	}
	digest, err := disk.DigestTree(draft)
	if err != nil {
		return err
	}
	// The folder comes last: when it is there, its digest is.
	if err := os.WriteFile(dir+digestSuffix, []byte(digest+"\n"), 0o644); err != nil {
		return err
	}
	if err := disk.Sync(dir + digestSuffix); err != nil {
		return err
	}
	return os.Rename(draft, dir)
}

func unpack(ctx context.Context, squashfs, dir string) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	if _, _, err := tool.Run(ctx, tool.Command{Argv: []string{"unsquashfs", "-no-progress", "-dest", dir, squashfs}}); err != nil {
		return err
	}
	return disk.SyncTree(dir)
}

// VerifyView compares an unpacked bundle with what was unpacked. The error is a
// *ChangedViewError when they differ.
func VerifyView(dir string) error {
	want, err := os.ReadFile(dir + digestSuffix)
	if errors.Is(err, os.ErrNotExist) {
		return &ChangedViewError{dir, errors.New("its digest is missing")}
	}
	if err != nil {
		return fmt.Errorf("cannot verify unpacked bundle: %w", err)
	}
	is, err := disk.DigestTree(dir)
	if err != nil {
		return fmt.Errorf("cannot verify unpacked bundle: %w", err)
	}
	if want := strings.TrimSpace(string(want)); is != want {
		return &ChangedViewError{dir, fmt.Errorf("it has sha256 %.16s, and had %.16s", is, want)}
	}
	return nil
}

// ErrViewUsed says that an unpacked bundle is not removed, because it is used.
var ErrViewUsed = errors.New("a container or a process uses the unpacked bundle")

// removeView removes an unpacked bundle of the cache in home, or what a killed
// process left of one, unless a process holds it or it is mounted.
func removeView(home, dir string, mounted func() (map[string]bool, error)) error {
	whole, isDraft := strings.CutSuffix(dir, draftSuffix)
	release, free, err := disk.TryLock(viewLock(home, filepath.Base(whole)))
	if err != nil {
		return err
	}
	if !free {
		return ErrViewUsed
	}
	defer release()
	if used, err := mounted(); err != nil {
		return err
	} else if used[dir] {
		return ErrViewUsed
	}
	if !isDraft {
		return demolish(whole)
	}
	return removeDraft(whole)
}

// demolish makes a draft of a bundle first: whoever is killed in the middle leaves
// that, and not half a bundle.
func demolish(dir string) error {
	if err := os.RemoveAll(dir + draftSuffix); err != nil {
		return err
	}
	if err := os.Rename(dir, dir+draftSuffix); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return removeDraft(dir)
}

// removeDraft removes the draft of a bundle, and its digest when there is nothing
// else that has it.
func removeDraft(dir string) error {
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		if err := os.RemoveAll(dir + digestSuffix); err != nil {
			return err
		}
	}
	return os.RemoveAll(dir + draftSuffix)
}
