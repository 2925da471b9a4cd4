package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
	// torn is set while the file ends in the middle of a line.
	torn bool
}

// Open opens journal-<process>.ndjson in an existing run directory for append,
// creating it when it is new. The file belongs to the writer until Close: a
// second writer is refused, because their lines could mix.
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
// whether a killed process left half a line behind.
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
	torn, err := endsTorn(f)
	if err != nil {
		return nil, err
	}
	return &Writer{file: f, torn: torn}, nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func endsTorn(f *os.File) (bool, error) {
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil || size == 0 {
		return false, err
	}
	last := make([]byte, 1)
	if _, err := f.ReadAt(last, size-1); err != nil {
		return false, err
	}
	return last[0] != '\n', nil
}

// Append writes one record as one line and returns when it is on the disk. It
// refuses a record that answers nothing, and every record after Close.
func (w *Writer) Append(r Record) error { return w.AppendAll([]Record{r}) }

// AppendAll is Append for many records at once. When one of them is refused none
// is written.
func (w *Writer) AppendAll(records []Record) error {
	var text []byte
	for i := range records {
		r := &records[i]
		if err := r.answers(); err != nil {
			return fmt.Errorf("cannot append to journal: %w", err)
		}
		line, err := json.Marshal(r)
		if err != nil {
			return fmt.Errorf("cannot append to journal: %w", err)
		}
		text = append(append(text, line...), '\n')
	}
	if len(text) == 0 {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.file == nil {
		return fmt.Errorf("cannot append %s of %s to journal: it is closed", records[0].Check, records[0].Cell)
	}
	return w.write(text)
}

func (w *Writer) write(lines []byte) error {
	if w.torn {
		lines = append([]byte{'\n'}, lines...)
	}
	// Until the write is known to be whole, the file may end anywhere.
	w.torn = true
	if _, err := w.file.Write(lines); err != nil {
		return fmt.Errorf("cannot append to journal: %w", err)
	}
	w.torn = false
	if err := w.file.Sync(); err != nil {
		return fmt.Errorf("cannot append to journal: %w", err)
	}
	return nil
}

// Close gives the file up. Closing twice is harmless.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.file == nil {
		return nil
	}
	err := w.file.Close()
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
