package reports

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/virtmatrix/virtmatrix/internal/journal"
)

func bundle(fsys fs.FS, path string) *evidence {
	read := evidenceReader{fsys, evidenceTotalLimit}
	return read.bundle(&journal.Record{Evidence: path})
}

func TestEvidenceIsReadOnlyInsideTheRun(t *testing.T) {
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret")
	run := filepath.Join(dir, "run")
	if err := os.MkdirAll(filepath.Join(run, "evidence", "a"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(secret, []byte("hunter2"), 0o600); err != nil {
		t.Fatal(err)
	}
	for link, target := range map[string]string{"evidence/a/link": secret, "evidence/b": dir} {
		if err := os.Symlink(target, filepath.Join(run, link)); err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.OpenRoot(run)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for _, path := range []string{"..", "../secret", "/etc", "evidence/../../secret", secret, ".", "evidence//a", "evidence/a/", "evidence/a", "evidence/b", "evidence/b/secret"} {
		b := bundle(root.FS(), path)
		for _, f := range b.Files {
			t.Errorf("%s: read %s: %q", path, f.Name, f.Text)
		}
		if !fs.ValidPath(path) && !strings.Contains(b.Path, "outside of the run") {
			t.Errorf("%s is shown as %q", path, b.Path)
		}
	}
}

func TestEvidenceShowsTheEndOfWhatIsLong(t *testing.T) {
	fsys := fstest.MapFS{"e/log": {Data: append(bytes.Repeat([]byte("x"), 1<<20), "the end"...)}}
	f := bundle(fsys, "e").Files[0]
	if len(f.Text) != evidenceFileLimit || !strings.HasSuffix(f.Text, "the end") || f.Note != "the last 65536 of 1048583 bytes" {
		t.Errorf("%d bytes, note %q", len(f.Text), f.Note)
	}
	// A file system whose files cannot seek gives the same.
	if g := bundle(unseekable{fsys}, "e").Files[0]; g != f {
		t.Errorf("without seeking: %d bytes, note %q", len(g.Text), g.Note)
	}
}

type unseekable struct{ fs.FS }

func (u unseekable) Open(name string) (fs.File, error) {
	f, err := u.FS.Open(name)
	if d, ok := f.(fs.ReadDirFile); ok {
		return d, err
	}
	return struct{ fs.File }{f}, err
}

func TestEvidenceStopsWhenThePageIsFull(t *testing.T) {
	fsys := fstest.MapFS{"e/a": {Data: []byte("first")}, "e/b": {Data: []byte("second")}, "e/c": {}}
	read := evidenceReader{fsys, 8}
	files := read.bundle(&journal.Record{Evidence: "e"}).Files
	if files[0].Text != "first" || files[1].Text != "ond" || files[1].Note != "the last 3 of 6 bytes" || files[2].Note != "" {
		t.Errorf("files: %+v", files)
	}
	if f := read.bundle(&journal.Record{Evidence: "e"}).Files[0]; f.Text != "" || !strings.Contains(f.Note, "the report is full") {
		t.Errorf("after the limit: %+v", f)
	}
}

func TestEvidenceNamesWhatItCannotShow(t *testing.T) {
	if b := bundle(fstest.MapFS{}, "e"); !strings.Contains(b.Note, "cannot read evidence") {
		t.Errorf("absent bundle: %+v", b)
	}
	if f := bundle(fstest.MapFS{"e/core": {Data: make([]byte, 4096)}}, "e").Files[0]; f.Text != "" || !strings.Contains(f.Note, "binary") {
		t.Errorf("binary: %+v", f)
	}
	many := fstest.MapFS{}
	for i := range evidenceFileCount + 5 {
		many["e/"+strings.Repeat("x", i+1)] = &fstest.MapFile{}
	}
	if b := bundle(many, "e"); len(b.Files) != evidenceFileCount || !strings.Contains(b.Note, "only the first") {
		t.Errorf("%d files, note %q", len(b.Files), b.Note)
	}
	if b := bundle(nil, "e"); b.Path != "e" || b.Files != nil {
		t.Errorf("without a run directory: %+v", b)
	}
}
