package container

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/store/disk"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// bundle is a squashfs of an emulator of a kind, and its digest.
func bundle(t *testing.T) (squashfs, sum string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "usr/bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	err := errors.Join(
		os.WriteFile(filepath.Join(dir, "usr/bin/qemu"), []byte("emulates"), 0o755),
		os.Symlink("qemu", filepath.Join(dir, "usr/bin/kvm")),
	)
	if err != nil {
		t.Fatal(err)
	}
	squashfs = filepath.Join(t.TempDir(), "usr.squashfs")
	if text, err := exec.Command("mksquashfs", filepath.Join(dir, "usr"), squashfs, "-quiet", "-no-progress").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	if sum, _, err = disk.Digest(squashfs); err != nil {
		t.Fatal(err)
	}
	return squashfs, sum
}

func TestABundleIsUnpackedOnce(t *testing.T) {
	squashfs, sum := bundle(t)
	home := t.TempDir()
	dir, release, err := view(t.Context(), squashfs, sum, home)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if text, err := os.ReadFile(filepath.Join(dir, "bin/kvm")); err != nil || string(text) != "emulates" {
		t.Errorf("bin/kvm holds %q, %v", text, err)
	}
	if err := os.Remove(squashfs); err != nil {
		t.Fatal(err)
	}
	again, release, err := view(t.Context(), squashfs, sum, home)
	if err != nil || again != dir {
		t.Fatalf("the second time: %s, %v", again, err)
	}
	release()
}

func TestABundleThatWasChangedOnDiskIsRefusedUntilItIsUnpackedAgain(t *testing.T) {
	squashfs, sum := bundle(t)
	home := t.TempDir()
	for name, change := range map[string]func(dir string) error{
		"edited file":        func(dir string) error { return os.WriteFile(filepath.Join(dir, "bin/qemu"), []byte("emulatez"), 0o755) },
		"other permissions":  func(dir string) error { return os.Chmod(filepath.Join(dir, "bin/qemu"), 0o644) },
		"link leads away":    func(dir string) error { return relink("/usr/bin/false", filepath.Join(dir, "bin/kvm")) },
		"file is missing":    func(dir string) error { return os.Remove(filepath.Join(dir, "bin/qemu")) },
		"file more":          func(dir string) error { return os.WriteFile(filepath.Join(dir, "bin/more"), nil, 0o755) },
		"digest is missing":  func(dir string) error { return os.Remove(dir + digestSuffix) },
		"digest is torn":     func(dir string) error { return os.Truncate(dir+digestSuffix, 10) },
		"digest of anything": func(dir string) error { return os.WriteFile(dir+digestSuffix, []byte(strings.Repeat("0", 64)), 0o644) },
	} {
		dir, release, err := view(t.Context(), squashfs, sum, home)
		if err != nil {
			t.Fatalf("%s: before: %v", name, err)
		}
		release()
		if err := change(dir); err != nil {
			t.Fatal(err)
		}
		_, _, err = view(t.Context(), squashfs, sum, home)
		var changed *ChangedViewError
		if v, _ := fault.Classify(err); v != matrix.Infra || !errors.As(err, &changed) || changed.Dir != dir || !strings.Contains(err.Error(), "virtmatrix gc") {
			t.Errorf("%s: %v", name, err)
		}
		if err := removeView(home, dir, nothingMounted); err != nil {
			t.Fatal(err)
		}
	}
	if left, err := os.ReadDir(views(home)); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

func nothingMounted() (map[string]bool, error) { return nil, nil }

func TestSeveralUseABundleAtOnceAndNobodyRemovesItMeanwhile(t *testing.T) {
	squashfs, sum := bundle(t)
	home := t.TempDir()
	dir := filepath.Join(views(home), ViewName(sum))
	uses := make(chan func(), 4)
	for range cap(uses) {
		go func() {
			_, release, err := view(t.Context(), squashfs, sum, home)
			if err != nil {
				t.Error(err)
				release = func() {}
			}
			uses <- release
		}()
	}
	var all []func()
	for range cap(uses) { // none gives it back before the others have it
		all = append(all, <-uses)
	}
	for _, release := range all {
		if err := removeView(home, dir, nothingMounted); !errors.Is(err, ErrViewUsed) {
			t.Errorf("it is used, and removing it says %v", err)
		}
		release()
	}
	if err := VerifyView(dir); err != nil {
		t.Fatal(err)
	}
	// A container that outlives its harness for a moment holds no lock.
	for _, docker := range []func() (map[string]bool, error){
		func() (map[string]bool, error) { return map[string]bool{dir: true}, nil },
		func() (map[string]bool, error) { return nil, errors.New("no Docker answers") },
	} {
		if err := removeView(home, dir, docker); err == nil || VerifyView(dir) != nil {
			t.Errorf("a container may use it, and it was removed")
		}
	}
	if err := removeView(home, dir, nothingMounted); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(views(home)); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

func TestADraftIsRemovedAndNotTheBundleBesideIt(t *testing.T) {
	squashfs, sum := bundle(t)
	home := t.TempDir()
	dir, release, err := view(t.Context(), squashfs, sum, home)
	if err != nil {
		t.Fatal(err)
	}
	release()
	draft := dir + draftSuffix
	if err := os.MkdirAll(filepath.Join(draft, "bin/half"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := removeView(home, draft, nothingMounted); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(draft); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the draft is still there: %v", err)
	}
	if err := VerifyView(dir); err != nil {
		t.Error(err)
	}
	// Removing the bundle, somebody was killed: its digest is there, and a draft.
	if err := os.Rename(dir, draft); err != nil {
		t.Fatal(err)
	}
	if err := removeView(home, draft, nothingMounted); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(views(home)); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

func relink(target, path string) error {
	return errors.Join(os.Remove(path), os.Symlink(target, path))
}

func TestWhatAKilledProcessLeftOfABundleIsUnpackedAgain(t *testing.T) {
	squashfs, sum := bundle(t)
	home := t.TempDir()
	dir := filepath.Join(views(home), ViewName(sum))
	if err := os.MkdirAll(filepath.Join(dir+draftSuffix, "bin/half"), 0o755); err != nil {
		t.Fatal(err)
	}
	// It was killed between the digest and the folder.
	if err := os.WriteFile(dir+digestSuffix, []byte("of another draft"), 0o644); err != nil {
		t.Fatal(err)
	}
	got, release, err := view(t.Context(), squashfs, sum, home)
	if err != nil {
		t.Fatal(err)
	}
	release()
	if _, err := os.Stat(filepath.Join(got, "bin/half")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("half of it is still there: %v", err)
	}
}
