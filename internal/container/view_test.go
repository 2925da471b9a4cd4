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
	dir, err := view(t.Context(), squashfs, sum, home)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "bin/kvm")); err != nil || string(text) != "emulates" {
		t.Errorf("bin/kvm holds %q, %v", text, err)
	}
	if err := os.Remove(squashfs); err != nil {
		t.Fatal(err)
	}
	if again, err := view(t.Context(), squashfs, sum, home); err != nil || again != dir {
		t.Errorf("the second time: %s, %v", again, err)
	}
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
		dir, err := view(t.Context(), squashfs, sum, home)
		if err != nil {
			t.Fatalf("%s: before: %v", name, err)
		}
		if err := change(dir); err != nil {
			t.Fatal(err)
		}
		_, err = view(t.Context(), squashfs, sum, home)
		var changed *ChangedViewError
		if v, _ := fault.Classify(err); v != matrix.Infra || !errors.As(err, &changed) || changed.Dir != dir || !strings.Contains(err.Error(), "virtmatrix gc") {
			t.Errorf("%s: %v", name, err)
		}
		if err := RemoveView(dir); err != nil {
			t.Fatal(err)
		}
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
	got, err := view(t.Context(), squashfs, sum, home)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(got, "bin/half")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("half of it is still there: %v", err)
	}
}
