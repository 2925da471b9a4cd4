package reports

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/virtmatrix/virtmatrix/internal/journal"
)

// Limits of what a page holds of the evidence, in bytes and files.
const (
	evidenceFileLimit  = 64 << 10
	evidenceTotalLimit = 8 << 20
	evidenceFileCount  = 64
)

// evidence is what a report shows of one evidence bundle.
type evidence struct {
	Path  string         `json:"path,omitempty"`
	Note  string         `json:"note,omitempty"`
	Files []evidenceFile `json:"files,omitempty"`
}

// evidenceFile is one file of a bundle, its text safe to show.
type evidenceFile struct {
	Name string `json:"name"`
	Size int64  `json:"size"`
	// Note says what of the file is not shown, and why.
	Note string `json:"note,omitempty"`
	Text string `json:"text,omitempty"`
}

// evidencePath returns the folder of a record's evidence for showing it. A
// path that leaves the run is replaced by words: nobody should open it.
func evidencePath(r *journal.Record) string {
	switch {
	case r == nil || r.Evidence == "":
		return ""
	case !inside(r.Evidence):
		return "(the journal names a path outside of the run: " + oneline(r.Evidence, 200) + ")"
	}
	return oneline(r.Evidence, 400)
}

func inside(path string) bool { return fs.ValidPath(path) && path != "." }

// evidenceReader reads bundles until it has shown enough of them.
type evidenceReader struct {
	fsys fs.FS
	left int64
}

// bundle reads the evidence of a record, or nil when it has none. What cannot
// be shown is named, not left out.
func (e *evidenceReader) bundle(r *journal.Record) *evidence {
	if r == nil || r.Evidence == "" {
		return nil
	}
	b := &evidence{Path: evidencePath(r)}
	if e.fsys == nil || !inside(r.Evidence) {
		return b
	}
	err := fs.WalkDir(e.fsys, r.Evidence, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		// Guests fill these files and could make names; only regular files of
		// the bundle itself are opened, no links and no devices.
		if !d.Type().IsRegular() {
			return nil
		}
		if len(b.Files) == evidenceFileCount {
			b.Note = fmt.Sprintf("only the first %d files are listed", evidenceFileCount)
			return fs.SkipAll
		}
		name := oneline(strings.TrimPrefix(path, r.Evidence+"/"), 200)
		b.Files = append(b.Files, e.file(path, name))
		return nil
	})
	if err != nil {
		b.Note = "cannot read evidence: " + oneline(err.Error(), 400)
	}
	return b
}

// file reads the end of one file, which is where a log tells what happened.
func (e *evidenceReader) file(path, name string) evidenceFile {
	out := evidenceFile{Name: name}
	text, size, err := e.tail(path)
	out.Size = size
	switch {
	case err != nil:
		out.Note = "cannot read it: " + oneline(err.Error(), 400)
	case size > 0 && len(text) == 0:
		out.Note = "not shown, the report is full; open the file"
	case int64(len(text)) < size:
		out.Note = fmt.Sprintf("the last %d of %d bytes", len(text), size)
	}
	if binary(text) {
		out.Note = "not shown, it is binary; open the file"
		return out
	}
	out.Text = visible(string(text), evidenceFileLimit)
	return out
}

func (e *evidenceReader) tail(path string) (text []byte, size int64, err error) {
	f, err := e.fsys.Open(path)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	size = info.Size()
	n := min(size, evidenceFileLimit, e.left)
	if skip := size - n; skip > 0 {
		if err := forward(f, skip); err != nil {
			return nil, size, err
		}
	}
	text, err = io.ReadAll(io.LimitReader(f, n))
	e.left -= int64(len(text))
	return text, size, err
}

func forward(f fs.File, n int64) error {
	if s, ok := f.(io.Seeker); ok {
		_, err := s.Seek(n, io.SeekStart)
		return err
	}
	_, err := io.CopyN(io.Discard, f, n)
	return err
}

// binary says whether a text is none: a console prints a stray NUL, a core
// dump prints little else.
func binary(text []byte) bool {
	return bytes.Count(text, []byte{0}) > len(text)/20+8
}
