package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/store/disk"
	"github.com/virtmatrix/virtmatrix/matrix"
)

func testSpec() Spec {
	return Spec{Role: "kernel-cloud", Release: "bookworm", Recipe: "r", Builder: 1, Packages: matrix.PackageSet{
		Source: "apt", Release: "bookworm", Packages: []matrix.Package{{Name: "linux", Version: "6.1", Arch: "amd64", SHA256: "aa"}},
	}}
}

func writeFiles(_ context.Context, dir string) error {
	if err := os.Mkdir(filepath.Join(dir, "boot"), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "boot", "a.ko"), []byte("module"), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "vmlinuz"), []byte("kernel"), 0o644)
}

func mustNotBuild(context.Context, string) error { return errors.New("built again") }

func open(t *testing.T, home string) *Store {
	t.Helper()
	s, err := Open(home)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// made returns a home with one image in it.
func made(t *testing.T) (home string, image Image) {
	t.Helper()
	home = t.TempDir()
	image, err := open(t, home).Ensure(t.Context(), testSpec(), writeFiles)
	if err != nil {
		t.Fatal(err)
	}
	return home, image
}

func inImages(t *testing.T, home string) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(home, "images"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestEnsureBuildsAnImageOnceAndRecordsWhatWentIn(t *testing.T) {
	home, image := made(t)
	again, err := open(t, home).Ensure(t.Context(), testSpec(), mustNotBuild)
	if err != nil {
		t.Fatal(err)
	}
	if again.Name != image.Name || !strings.HasPrefix(again.Name, "kernel-cloud-bookworm-") {
		t.Errorf("the image is called %q, then %q", image.Name, again.Name)
	}
	if v := again.Meta.Spec.Packages.Version("linux"); v != "6.1" {
		t.Errorf("the record says linux %q, want 6.1", v)
	}
	if again.Size() != int64(len("module")+len("kernel")) {
		t.Errorf("the image has %d bytes", again.Size())
	}
	if text, err := os.ReadFile(again.Path("boot/a.ko")); err != nil || string(text) != "module" {
		t.Errorf("boot/a.ko holds %q, %v", text, err)
	}
}

func TestKeyChangesWithEverythingThatGoesIn(t *testing.T) {
	base := testSpec()
	for name, change := range map[string]func(*Spec){
		"role":    func(s *Spec) { s.Role = "xen" },
		"release": func(s *Spec) { s.Release = "trixie" },
		"recipe":  func(s *Spec) { s.Recipe = "other" },
		"builder": func(s *Spec) { s.Builder++ },
		"package": func(s *Spec) { s.Packages.Packages = []matrix.Package{{Name: "linux", Version: "6.2"}} },
	} {
		s := base
		change(&s)
		if s.Key() == base.Key() {
			t.Errorf("another %s gives the same key", name)
		}
	}
}

func TestAFailedBuildLeavesNothing(t *testing.T) {
	home := t.TempDir()
	cause := errors.New("mksquashfs broke")
	_, err := open(t, home).Ensure(t.Context(), testSpec(), func(ctx context.Context, dir string) error {
		return errors.Join(writeFiles(ctx, dir), cause)
	})
	var infra *fault.Infra
	if !errors.Is(err, cause) || !errors.As(err, &infra) {
		t.Errorf("the error is %v", err)
	}
	if left := inImages(t, home); len(left) > 0 {
		t.Errorf("%q was left behind", left)
	}
}

func TestABuildThatMakesNothingIsAnError(t *testing.T) {
	_, err := open(t, t.TempDir()).Ensure(t.Context(), testSpec(), func(context.Context, string) error { return nil })
	if err == nil || !strings.Contains(err.Error(), "made no files") {
		t.Errorf("the error is %v", err)
	}
}

func TestAnImageThatWasChangedOnDiskIsRefused(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(Image) error
		want   string
	}{
		"content":     {func(i Image) error { return os.WriteFile(i.Path("vmlinuz"), []byte("KERNEL"), 0o644) }, "file vmlinuz has sha256"},
		"missing":     {func(i Image) error { return os.Remove(i.Path("boot/a.ko")) }, "file boot/a.ko is missing"},
		"extra":       {func(i Image) error { return os.WriteFile(i.Path("boot/b.ko"), nil, 0o644) }, "file boot/b.ko is not in its record"},
		"record":      {func(i Image) error { return os.Remove(i.Path(metaName)) }, "file meta.json is missing"},
		"torn record": {func(i Image) error { return os.WriteFile(i.Path(metaName), []byte("{"), 0o644) }, "cannot read record"},
	} {
		t.Run(name, func(t *testing.T) {
			home, image := made(t)
			if err := tc.change(image); err != nil {
				t.Fatal(err)
			}
			_, err := open(t, home).Ensure(t.Context(), testSpec(), mustNotBuild)
			var infra *fault.Infra
			if !errors.As(err, &infra) {
				t.Fatalf("the error is %v, want an Infra fault", err)
			}
			for _, want := range []string{tc.want, "virtmatrix gc -images " + image.Name} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error %q does not say %q", err, want)
				}
			}
		})
	}
}

func TestARemovedImageIsBuiltAgain(t *testing.T) {
	home, image := made(t)
	s := open(t, home)
	if err := s.Remove(image.Name); err != nil {
		t.Fatal(err)
	}
	if left := inImages(t, home); len(left) > 0 {
		t.Errorf("%q was left behind", left)
	}
	if _, err := s.Ensure(t.Context(), testSpec(), writeFiles); err != nil {
		t.Error(err)
	}
}

func TestRemoveRefusesWhatIsNotAnImage(t *testing.T) {
	s := open(t, t.TempDir())
	for _, name := range []string{"..", "../images", "nothing-here", ".build-x", ""} {
		if err := s.Remove(name); err == nil {
			t.Errorf("Remove(%q) did not fail", name)
		}
	}
}

func TestListShowsBrokenImagesToo(t *testing.T) {
	home, image := made(t)
	if err := os.Mkdir(filepath.Join(home, "images", "broken"), 0o755); err != nil {
		t.Fatal(err)
	}
	images, err := open(t, home).List()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, i := range images {
		names = append(names, i.Name)
	}
	if want := []string{"broken", image.Name}; !slices.Equal(names, want) {
		t.Errorf("listed %q, want %q", names, want)
	}
}

func TestAFullDiskIsSaidAndLeavesNothing(t *testing.T) {
	write := func(_ context.Context, dir string) error {
		return os.WriteFile(filepath.Join(dir, "root.squashfs"), make([]byte, 1<<20), 0o644)
	}
	for name, tc := range map[string]struct {
		home  func(*testing.T) string
		build func(context.Context, string) error
	}{
		"small disk": {smallDisk, write},
		"error number": {(*testing.T).TempDir, func(context.Context, string) error {
			return fmt.Errorf("cannot write: %w", syscall.ENOSPC)
		}},
		"words of a tool": {(*testing.T).TempDir, func(context.Context, string) error {
			return errors.New("mksquashfs: Write failed because No space left on device")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			home := tc.home(t)
			_, err := open(t, home).Ensure(t.Context(), testSpec(), tc.build)
			var full *disk.FullError
			if !errors.As(err, &full) {
				t.Fatalf("the error is %v, want a full disk", err)
			}
			if !strings.Contains(err.Error(), "is full") || !strings.Contains(err.Error(), home) {
				t.Errorf("the error %q does not say which disk is full", err)
			}
			if left := inImages(t, home); len(left) > 0 {
				t.Errorf("%q was left behind", left)
			}
		})
	}
}

// smallDisk is a file system of 256 KiB.
func smallDisk(t *testing.T) string {
	dir := t.TempDir()
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size=256k"); err != nil {
		t.Skipf("cannot mount a small disk here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}
