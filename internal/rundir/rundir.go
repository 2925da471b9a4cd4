// Package rundir is the folder of one run: where its plan, journal, progress,
// evidence and reports lie, and how they get there whole.
package rundir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/virtmatrix/virtmatrix/matrix"
)

const (
	// Env is the environment variable that names the folder of the run to the
	// suites.
	Env = "VIRTMATRIX_RUN"
	// Default is the folder of all runs when nothing else is said.
	Default = "runs"
	// Latest is the link to the newest run in the folder of all runs.
	Latest = "latest"

	planName   = "plan.json"
	wholeName  = "whole.json"
	matrixName = "matrix.json"
	ginkgoName = "ginkgo.log"
	orderName  = "order.txt"
	notesName  = "notes.txt"
)

// Dir is the folder of one run.
type Dir struct {
	path string
}

// New makes the folder of a new run in parent, "20261121-234501-smoke", and
// makes parent's link "latest" point to it. The path is absolute.
func New(parent, profile string) (*Dir, error) {
	parent, err := filepath.Abs(parent)
	if err != nil {
		return nil, fmt.Errorf("cannot make run folder: %w", err)
	}
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return nil, fmt.Errorf("cannot make run folder: %w", err)
	}
	name := time.Now().Format("20060102-150405") + "-" + safe(profile)
	path, err := fresh(filepath.Join(parent, name))
	if err != nil {
		return nil, fmt.Errorf("cannot make run folder: %w", err)
	}
	if err := link(parent, filepath.Base(path)); err != nil {
		return nil, fmt.Errorf("cannot make %s the latest run: %w", path, err)
	}
	return &Dir{path: path}, nil
}

// fresh makes a folder at path, or beside it when two runs begin within a
// second.
func fresh(path string) (string, error) {
	for n := 1; ; n++ {
		try := path
		if n > 1 {
			try = fmt.Sprintf("%s-%d", path, n)
		}
		err := os.Mkdir(try, 0o755)
		if !errors.Is(err, os.ErrExist) {
			return try, err
		}
	}
}

// safe keeps what may stand in a folder's name.
func safe(profile string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune("-_.", r):
			return r
		}
		return '-'
	}, profile)
}

// link points parent's latest at the run. A reader sees the old link or the new
// one, never none.
func link(parent, name string) error {
	tmp := filepath.Join(parent, ".latest-"+name)
	if err := os.Symlink(name, tmp); err != nil {
		return err
	}
	if err := os.Rename(tmp, filepath.Join(parent, Latest)); err != nil {
		return errors.Join(err, os.Remove(tmp))
	}
	return nil
}

// Open returns the run folder at path. A folder without a plan is no run.
func Open(path string) (*Dir, error) {
	abs, err := filepath.Abs(path)
	if err == nil {
		abs, err = filepath.EvalSymlinks(abs)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot open run: %w", err)
	}
	d := &Dir{path: abs}
	if _, err := os.Stat(d.Plan()); err != nil {
		return nil, fmt.Errorf("cannot open run: %w", err)
	}
	return d, nil
}

// List returns the names of the runs in parent, oldest first. A parent that
// does not exist has none.
func List(parent string) ([]string, error) {
	plans, err := filepath.Glob(filepath.Join(globless(parent), "*", planName))
	if err != nil {
		return nil, fmt.Errorf("cannot list runs: %w", err)
	}
	var names []string
	for _, p := range plans {
		if name := filepath.Base(filepath.Dir(p)); name != Latest {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// globless makes a path stand for itself in a pattern.
func globless(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// Path returns where something of the run lies.
func (d *Dir) Path(elem ...string) string {
	return filepath.Join(append([]string{d.path}, elem...)...)
}

// Plan is the path of the plan that the run answers.
func (d *Dir) Plan() string { return d.Path(planName) }

// Whole is the path of the plan that the run of a shard is a part of.
func (d *Dir) Whole() string { return d.Path(wholeName) }

// Matrix is the path of the judged run.
func (d *Dir) Matrix() string { return d.Path(matrixName) }

// Log is the path of what the test runner printed.
func (d *Dir) Log() string { return d.Path(ginkgoName) }

// Cell is the folder of a cell's evidence and of its host's logs.
func (d *Dir) Cell(id string) string { return d.Path("cells", safe(id)) }

// Progress is the path of the events of one process of the run, from 1.
func (d *Dir) Progress(process int) string {
	return d.Path(fmt.Sprintf("progress-%d.ndjson", process))
}

// WritePlan stores the plan. It appears whole or not at all.
func (d *Dir) WritePlan(p *matrix.Plan) error {
	if err := p.Verify(); err != nil {
		return fmt.Errorf("cannot store plan: %w", err)
	}
	return d.Write(planName, func(f *os.File) error { return p.Write(f) })
}

// WriteWhole stores the plan that the run's own was cut of.
func (d *Dir) WriteWhole(p *matrix.Plan) error {
	return d.Write(wholeName, func(f *os.File) error { return p.Write(f) })
}

// ReadPlan reads and verifies the run's plan.
func (d *Dir) ReadPlan() (*matrix.Plan, error) { return ReadPlan(d.Plan()) }

// ReadPlan reads and verifies the plan in a file.
func ReadPlan(path string) (*matrix.Plan, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read plan: %w", err)
	}
	defer f.Close()
	p, err := matrix.ReadPlan(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}

// Write stores a file of the run under its name, whole or not at all.
func (d *Dir) Write(name string, write func(*os.File) error) error {
	if err := Replace(d.Path(name), write); err != nil {
		return fmt.Errorf("cannot store %s: %w", name, err)
	}
	return nil
}

// Note adds a line to what is to be known about the run as a whole. Processes of
// the run may do so at the same time.
func (d *Dir) Note(text string) error {
	f, err := os.OpenFile(d.Path(notesName), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("cannot note: %w", err)
	}
	_, err = f.WriteString(strings.Join(strings.Fields(text), " ") + "\n")
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("cannot note: %w", err)
	}
	return nil
}

// Notes returns what was noted, in order, each once.
func (d *Dir) Notes() ([]string, error) {
	text, err := os.ReadFile(d.Path(notesName))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("cannot read notes: %w", err)
	}
	var notes []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && !slices.Contains(notes, line) {
			notes = append(notes, line)
		}
	}
	return notes, nil
}

// Replace writes the file at path, whole or not at all.
func Replace(path string, write func(*os.File) error) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	err = errors.Join(write(tmp), tmp.Chmod(0o644), tmp.Sync(), tmp.Close())
	if err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}
