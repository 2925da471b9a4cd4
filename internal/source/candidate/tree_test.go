package candidate

import (
	"os"
	"path/filepath"
	"testing"
)

func TestALinkOfAPackageLeadsNowhereElse(t *testing.T) {
	outside, root, tree := t.TempDir(), t.TempDir(), t.TempDir()
	for path, text := range map[string]string{filepath.Join(outside, "file"): "mine", filepath.Join(tree, "file"): "the tree's"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(outside, filepath.Join(root, "away")); err != nil {
		t.Fatal(err)
	}
	if err := Replace(root, map[string]string{"/away/file": filepath.Join(tree, "file")}); err == nil {
		t.Error("a file was written through a link that leads out of the package")
	}
	if text, err := os.ReadFile(filepath.Join(outside, "file")); err != nil || string(text) != "mine" {
		t.Errorf("the file outside is %q, %v", text, err)
	}
}

func TestAFileTakesThePlaceOfWhateverIsThere(t *testing.T) {
	root, tree := t.TempDir(), t.TempDir()
	file, link := filepath.Join(tree, "file"), filepath.Join(tree, "link")
	err := os.WriteFile(file, []byte("new"), 0o640)
	for _, made := range []error{os.Chmod(file, 0o750), os.Symlink("file", link), os.MkdirAll(filepath.Join(root, "usr/b/full"), 0o755), os.Symlink("/etc/passwd", filepath.Join(root, "usr/a"))} {
		if err == nil {
			err = made
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := Replace(root, map[string]string{"/usr/a": file, "/usr/b": file, "/usr/new/link": link}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"usr/a", "usr/b"} {
		info, err := os.Lstat(filepath.Join(root, name))
		if err != nil || info.Mode() != 0o750 {
			t.Errorf("%s is %v, %v", name, info.Mode(), err)
		}
	}
	if to, err := os.Readlink(filepath.Join(root, "usr/new/link")); err != nil || to != "file" {
		t.Errorf("the link leads to %q, %v", to, err)
	}
}

func TestWhatIsATreeIsToldByItsFolders(t *testing.T) {
	dir := t.TempDir()
	if IsTree(dir) || IsTree(filepath.Join(dir, "nowhere")) || !IsTree("/srv/libvirt.tar.xz") {
		t.Error("a folder without a root in it is one, or an archive is none")
	}
	if err := os.Mkdir(filepath.Join(dir, "usr"), 0o755); err != nil {
		t.Fatal(err)
	}
	if !IsTree(dir) {
		t.Error("a folder with usr is none")
	}
}
