package verdict

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/journal"
	"github.com/virtmatrix/virtmatrix/internal/rundir"
	"github.com/virtmatrix/virtmatrix/internal/store/disk"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// Entry is a kept answer.
type Entry struct {
	Record journal.Record `json:"record"`
	// Run is the name of the run that gave the answer.
	Run string `json:"run"`
}

// Answers says whether the entry is an answer that may be given again whatever is known
// of the check: a PASS.
func (e *Entry) Answers() bool { return e.Record.Verdict == matrix.Pass }

// Conclusive says whether an answer says something new of the product. Our own faults
// do not, what was blocked says nothing of itself, and what is kept is known.
func Conclusive(r *journal.Record) bool {
	return (r.Verdict == matrix.Pass || r.Verdict == matrix.Fail) && r.Cached == nil
}

// Store is a folder of kept answers. Processes may share it: an entry appears
// whole, and the last one that is written stays.
type Store struct{ dir string }

// In is the store in a folder, which need not exist.
func In(dir string) *Store { return &Store{dir} }

// ErrNone says that the question was never answered, or not in this store.
var ErrNone = errors.New("the question was not answered yet")

func (s *Store) path(key string) string { return filepath.Join(s.dir, key[:2], key+".json") }

// Get returns what is kept under the key of a question. The error is ErrNone, or
// says what is wrong with the entry, which is removed then, or with the disk.
func (s *Store) Get(key string) (e Entry, err error) {
	path := s.path(key)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Entry{}, ErrNone
	}
	if err != nil {
		return Entry{}, fmt.Errorf("cannot read kept verdict: %w", err)
	}
	// An entry follows from its key, so it answers no other question.
	if _, err = journal.Unseal(key, text, &e); err == nil && !Conclusive(&e.Record) {
		err = fmt.Errorf("a %s is never kept", e.Record.Verdict)
	}
	if err != nil {
		return Entry{}, errors.Join(fmt.Errorf("the kept verdict %s is no answer and was removed: %w", path, err), os.Remove(path))
	}
	return e, nil
}

// Put keeps the answer that a run gave, in place of an older one. But a question
// that was ever answered with FAIL stays one that is asked: a later PASS does not
// make it untrue. What passed only at a second try is not kept, because that hides
// the first one, and leaves no older answer; nor does what cannot be kept, because
// it may contradict it.
func (s *Store) Put(key string, r journal.Record, run string) error {
	if !Conclusive(&r) {
		return nil
	}
	if r.Verdict == matrix.Pass && r.Attempts != 1 {
		return s.Forget(key)
	}
	if r.Verdict == matrix.Pass && s.failed(key) {
		return nil
	}
	if err := s.write(key, Entry{r, run}); err != nil {
		return errors.Join(fmt.Errorf("cannot keep verdict: %w", disk.Explain(err, s.dir)), s.Forget(key))
	}
	return nil
}

func (s *Store) write(key string, e Entry) error {
	text, _, err := journal.Seal(key, e)
	if err != nil {
		return err
	}
	path := s.path(key)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return rundir.Replace(path, func(f *os.File) error {
		_, err := f.Write(text)
		return err
	})
}

// failed says whether a failure is kept under a key.
func (s *Store) failed(key string) bool {
	e, err := s.Get(key)
	return err == nil && !e.Answers()
}

// Forget removes the PASS that is kept under a key, if there is one. A failure stays.
func (s *Store) Forget(key string) error {
	if s.failed(key) {
		return nil
	}
	if err := gone(os.Remove(s.path(key))); err != nil {
		return fmt.Errorf("cannot forget verdict: %w", err)
	}
	return nil
}

// Old lists the files of what was kept longer ago than an age, and their size in
// bytes. What a kill left half written is among them.
func (s *Store) Old(age time.Duration) (paths []string, bytes int64, err error) {
	err = filepath.WalkDir(s.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return gone(err)
		}
		info, err := d.Info()
		if err == nil && time.Since(info.ModTime()) >= age {
			paths, bytes = append(paths, path), bytes+info.Size()
		}
		return gone(err)
	})
	if err != nil {
		return nil, 0, fmt.Errorf("cannot list kept verdicts: %w", err)
	}
	return paths, bytes, nil
}

// gone forgives that there is no store, or that another process removed a file.
func gone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
