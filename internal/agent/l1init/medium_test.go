package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/cavaliergopher/cpio"
)

func TestPartsAreUnpackedAndWhatIsThereStays(t *testing.T) {
	var archive bytes.Buffer
	w := cpio.NewWriter(&archive)
	for _, h := range []cpio.Header{
		{Name: "init", Mode: cpio.TypeReg | 0o755, Size: 3},
		{Name: "virtmatrix", Mode: cpio.TypeDir | 0o755},
		{Name: "virtmatrix/tool", Mode: cpio.TypeReg | 0o755, Size: 3},
	} {
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if h.Size > 0 {
			if _, err := w.Write([]byte("new")); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	archive.Write(make([]byte, 512)) // a disk ends with a sector
	to := t.TempDir()
	if err := os.WriteFile(filepath.Join(to, "init"), []byte("old"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unpack(&archive, to); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"init": "old", "virtmatrix/tool": "new"} {
		if got, err := os.ReadFile(filepath.Join(to, name)); err != nil || string(got) != want {
			t.Errorf("%s is %q, %v", name, got, err)
		}
	}
	if info, err := os.Stat(filepath.Join(to, "virtmatrix/tool")); err != nil || info.Mode() != 0o755 {
		t.Errorf("the tool is %v, %v", info, err)
	}
	if err := unpack(bytes.NewReader([]byte("no archive")), to); err == nil {
		t.Error("what is no archive is taken")
	}
}

func TestAVolumeIsKnownByItsName(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct{ mark, want string }{
		"a volume": {"\x01CD001", "VIRTMATRIX"}, "another descriptor": {"\x00CD001", ""}, "no volume": {"", ""},
	} {
		b := make([]byte, 17*2048)
		copy(b[isoDescriptor:], c.mark)
		copy(b[isoDescriptor+isoName:isoDescriptor+isoNameEnd], "VIRTMATRIX                      ")
		path := filepath.Join(dir, "volume")
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		if got := volumeName(path); got != c.want {
			t.Errorf("%s is called %q", name, got)
		}
	}
	if got := volumeName(filepath.Join(dir, "nothing")); got != "" {
		t.Errorf("a device that is not there is called %q", got)
	}
}
