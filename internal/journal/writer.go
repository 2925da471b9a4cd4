package journal

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"

	"github.com/virtmatrix/virtmatrix/matrix"
)

// Writer appends the records of one process to its own file of a run
// directory. It may be used by several goroutines.
type Writer struct {
	mu   sync.Mutex
	file *os.File
	// end is where the file ends, unless a write failed: it may end anywhere then,
	// and is to be read again.
	end   end
	stale bool
}

// Open opens journal-<process>.ndjson in an existing run directory for append,
// creating it when it is new. The file belongs to the writer until Close: a
// second writer is refused, because their lines could mix. So is a file that is not
// as it was written: what is added to it could not be judged.
func Open(dir string, process int) (*Writer, error) {
	path := filepath.Join(dir, fmt.Sprintf("journal-%d.ndjson", process))
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("cannot open journal: %w", err)
	}
	w, err := own(f, dir)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cannot open journal %s: %w", path, err), f.Close())
	}
	return w, nil
}

// own locks an opened journal, makes its directory entry durable and finds out
// where it ends.
func own(f *os.File, dir string) (*Writer, error) {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, errors.New("another process of this run is writing it; give each process its own number")
	}
	if err != nil {
		return nil, fmt.Errorf("cannot lock it: %w", err)
	}
	if err := syncDir(dir); err != nil {
		return nil, err
	}
	w := &Writer{file: f}
	return w, w.find()
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// find finds out where the file ends.
func (w *Writer) find() error {
	_, damage, last, err := scan(io.NewSectionReader(w.file, 0, math.MaxInt64), filepath.Base(w.file.Name()))
	if err := cmp.Or(err, damage.Err()); err != nil {
		return err
	}
	w.end, w.stale = last, false
	return nil
}

// Append writes one record as one line and returns when it is on the disk. It
// refuses a record that answers nothing, and every record after Close.
func (w *Writer) Append(r Record) error { return w.AppendAll([]Record{r}) }

// AppendAll is Append for many records at once. When one of them is refused none
// is written.
func (w *Writer) AppendAll(records []Record) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(records) == 0 {
		return nil
	}
	if w.file == nil {
		return fmt.Errorf("cannot append %s of %s to journal: it is closed", records[0].Check, records[0].Cell)
	}
	err := w.write(func(c *chain) (text []byte, err error) {
		for i := range records {
			line, err := c.answer(&records[i])
			if err != nil {
				return nil, err
			}
			text = append(text, line...)
		}
		return text, nil
	})
	if err != nil {
		return fmt.Errorf("cannot append to journal: %w", err)
	}
	return nil
}

// write puts the next lines on the disk.
func (w *Writer) write(next func(*chain) ([]byte, error)) error {
	if w.stale {
		if err := w.find(); err != nil {
			return err
		}
	}
	after := w.end.chain
	lines, err := next(&after)
	if err != nil {
		return err
	}
	if !w.end.newline {
		lines = append([]byte{'\n'}, lines...)
	}
	w.stale = true
	if _, err := w.file.Write(lines); err != nil {
		return err
	}
	w.end, w.stale = end{chain: after, newline: true}, false
	return w.file.Sync()
}

// Close says in the file that its process ended by itself, and gives it up.
// Closing twice is harmless.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.file == nil {
		return nil
	}
	var err error
	if !w.end.closed || w.stale {
		err = w.write((*chain).end)
	}
	err = errors.Join(err, w.file.Close())
	w.file = nil
	if err != nil {
		return fmt.Errorf("cannot close journal: %w", err)
	}
	return nil
}

// answers says why a record answers no planned check, or nil when it does.
func (r *Record) answers() error {
	switch {
	case r.Cell == "":
		return errors.New("the record names no cell")
	case r.Check == "":
		return errors.New("the record names no check")
	case r.Verdict == matrix.Missing:
		return errors.New("MISSING is the absence of a record and cannot be recorded")
	case !slices.Contains(matrix.Verdicts, r.Verdict):
		return fmt.Errorf("%.40q is no verdict", r.Verdict)
	}
	return nil
}
