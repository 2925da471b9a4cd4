package verdict

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// maxEvidence bounds the evidence of one entry, in bytes. A bundle has a dozen
// files of at most 2 MiB, most of them much smaller.
const maxEvidence = 24 << 20

// Pack reads the evidence in a folder. One that is too large to be kept is an
// error: a failure comes back with its evidence, or not at all.
func Pack(dir string) ([]File, error) {
	var files []File
	total := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if !d.Type().IsRegular() {
			return fmt.Errorf("%s is not a regular file", path)
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if total += len(content); total > maxEvidence {
			return fmt.Errorf("it takes more than %d MiB", maxEvidence>>20)
		}
		files = append(files, File{name, content})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("cannot keep evidence: %w", err)
	}
	return files, nil
}

// Unpack writes the evidence of an entry to where its record says it is, below
// the folder of a run, in place of any that is there.
func (e *Entry) Unpack(run string) error {
	if e.Record.Evidence == "" {
		return nil
	}
	root, err := os.OpenRoot(run)
	if err != nil {
		return fmt.Errorf("cannot bring evidence back: %w", err)
	}
	defer root.Close()
	if err := errors.Join(root.RemoveAll(e.Record.Evidence), root.MkdirAll(e.Record.Evidence, 0o755)); err != nil {
		return fmt.Errorf("cannot bring evidence back: %w", err)
	}
	var failed []error
	for _, f := range e.Evidence {
		path := filepath.Join(e.Record.Evidence, f.Name)
		err := root.MkdirAll(filepath.Dir(path), 0o755)
		if err == nil {
			err = root.WriteFile(path, f.Content, 0o644)
		}
		failed = append(failed, err)
	}
	if err := errors.Join(failed...); err != nil {
		return fmt.Errorf("cannot bring evidence back: %w", err)
	}
	return nil
}
