package layout

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// squash packs a folder with a program, a link, and a file whose name has a space.
func squash(t *testing.T) string {
	t.Helper()
	for _, tool := range []string{"mksquashfs", "unsquashfs"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip("packing takes squashfs-tools")
		}
	}
	dir, file := t.TempDir(), filepath.Join(t.TempDir(), "image.squashfs")
	err := os.MkdirAll(filepath.Join(dir, "bin"), 0o755)
	for name, text := range map[string]string{"bin/virsh": "a program", "a b": ""} {
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755)
		}
	}
	if err == nil {
		err = os.Symlink("virsh", filepath.Join(dir, "bin", "shell"))
	}
	if err == nil {
		err = exec.Command("mksquashfs", dir, file, "-quiet", "-no-progress").Run()
	}
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func TestASquashfsIsListedAndRead(t *testing.T) {
	file := squash(t)
	root := map[string]string{"/": "", "/a b": "", "/bin": "", "/bin/virsh": "", "/bin/shell": "virsh"}
	usr := map[string]string{
		"/usr": "", "/usr/a b": "", "/usr/bin": "", "/usr/bin/virsh": "", "/usr/bin/shell": "virsh",
		"/bin": "usr/bin", "/sbin": "usr/sbin", "/lib": "usr/lib", "/lib64": "usr/lib64",
	}
	for program, want := range map[string]map[string]string{"/bin/virsh": root, "/usr/bin/virsh": usr} {
		tree, err := Squashfs(t.Context(), file, len(want) == len(usr))
		if err != nil {
			t.Fatal(err)
		}
		delete(tree.Entries, "/")
		delete(want, "/")
		if diff := cmp.Diff(want, tree.Entries); diff != "" {
			t.Error(diff)
		}
		if text, err := tree.Read(program); err != nil || string(text) != "a program" {
			t.Errorf("%s holds %q, %v", program, text, err)
		}
	}
}

func TestWhatIsNoSquashfsIsAnError(t *testing.T) {
	if _, err := Squashfs(t.Context(), filepath.Join(t.TempDir(), "none"), false); err == nil {
		t.Error("it was listed")
	}
}
