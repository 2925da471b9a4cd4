package verdict

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/journal"
	"github.com/virtmatrix/virtmatrix/internal/rundir"
	"github.com/virtmatrix/virtmatrix/internal/store/disk"
)

// Store is a folder of kept answers. Processes may share it: an entry appears
// whole, and the last one that is written stays.
type Store struct{ dir string }

// In is the store in a folder, which need not exist.
func In(dir string) *Store { return &Store{dir} }

// ErrNone says that the question was never answered, or not in this cache.
var ErrNone = errors.New("the question was not answered yet")

// DamagedError says that an entry is not what was written. It was removed.
type DamagedError struct {
	Path string
	Err  error
}

// Error names the entry, what is wrong with it, and what follows.
func (e *DamagedError) Error() string {
	return fmt.Sprintf("the kept verdict %s is no answer and was removed: %v", e.Path, e.Err)
}

// Unwrap returns what is wrong with the entry.
func (e *DamagedError) Unwrap() error { return e.Err }

func (s *Store) path(key string) string { return filepath.Join(s.dir, key[:2], key+".json") }

// Get returns the answer to a question and its key. The error is ErrNone, a
// *DamagedError, or about the disk; then the check must be asked.
func (s *Store) Get(q Question) (e Entry, key string, err error) {
	question, err := q.ask()
	if err != nil {
		return Entry{}, "", err
	}
	key = keyOf(question)
	path := s.path(key)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Entry{}, key, ErrNone
	}
	if err != nil {
		return Entry{}, key, fmt.Errorf("cannot read kept verdict: %w", err)
	}
	if e, err = unseal(text, &q, question); err != nil {
		return Entry{}, key, errors.Join(&DamagedError{path, err}, os.Remove(path))
	}
	return e, key, nil
}

// Put keeps the answer that a run gave, in place of an older one. dir is the
// run's folder, which has the record's evidence. One that tells something and
// cannot be kept leaves none in its place: the older one may contradict it. One
// that tells nothing is passed over.
func (s *Store) Put(q Question, r journal.Record, dir string) error {
	if !Tells(&r) {
		return nil
	}
	if !Keeps(&r) {
		return s.Forget(q)
	}
	if err := s.put(q, r, dir); err != nil {
		return errors.Join(err, s.Forget(q))
	}
	return nil
}

// Forget removes the answer to a question, if there is one.
func (s *Store) Forget(q Question) error {
	key, err := q.Key()
	if err != nil {
		return err
	}
	if err := os.Remove(s.path(key)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot forget verdict: %w", err)
	}
	return nil
}

func (s *Store) put(q Question, r journal.Record, dir string) error {
	question, err := q.ask()
	if err != nil {
		return err
	}
	e := Entry{Question: question, Record: r, Run: filepath.Base(dir), Kept: time.Now().UTC()}
	if r.Evidence != "" {
		if e.Evidence, err = Pack(filepath.Join(dir, r.Evidence)); err != nil {
			return err
		}
	}
	if err := e.answers(&q, question); err != nil {
		return fmt.Errorf("cannot keep verdict: %w", err)
	}
	text, err := seal(e)
	if err != nil {
		return fmt.Errorf("cannot keep verdict: %w", err)
	}
	path := s.path(keyOf(question))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("cannot keep verdict: %w", disk.Explain(err, s.dir))
	}
	err = rundir.Replace(path, func(f *os.File) error {
		_, err := f.Write(text)
		return err
	})
	if err != nil {
		return fmt.Errorf("cannot keep verdict: %w", disk.Explain(err, s.dir))
	}
	return nil
}

// Kept is an entry as it lies on disk.
type Kept struct {
	Path  string
	Bytes int64
	// Time is when it was written.
	Time time.Time
	// Torn is set for what a process left that was killed while it wrote.
	Torn bool
}

// tornAfter is how old half an entry is that nobody writes any more: writing one
// takes milliseconds.
const tornAfter = time.Hour

// List returns all entries, and what kills left. A store that does not exist has
// none.
func (s *Store) List() ([]Kept, error) {
	var all []Kept
	err := filepath.WalkDir(s.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil // another process has replaced or removed it
		}
		if err != nil {
			return err
		}
		k := Kept{Path: path, Bytes: info.Size(), Time: info.ModTime(), Torn: !strings.HasSuffix(path, ".json")}
		if !k.Torn || time.Since(k.Time) > tornAfter {
			all = append(all, k)
		}
		return nil
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot list kept verdicts: %w", err)
	}
	return all, nil
}
