package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/virtmatrix/virtmatrix/internal/rundir"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/reports"
)

// found is what the judge made of a fault.
type found struct {
	verdict string
	layer   matrix.Layer
	code    reports.Code
	text    string
}

// right says whether it is what it must be.
func (p *planted) right(f found) bool {
	return f.verdict == p.verdict && f.layer == p.layer && f.code == p.code && strings.Contains(f.text, p.says)
}

// plantedRun is a planted fault that is stored.
type plantedRun struct {
	*planted
	site *site
	dir  *rundir.Dir
	by   ruling
}

// plantAll plants each fault into a run of its own.
func plantAll(cat *matrix.Catalog, runs string) (all []plantedRun, err error) {
	plan, err := newPlan(cat)
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	if err := plan.Write(&text); err != nil {
		return nil, err
	}
	for i := range faults {
		r := plantedRun{planted: &faults[i]}
		if r.site, err = newSite(cat, text.Bytes()); err != nil {
			return nil, err
		}
		r.plant(r.site)
		if r.dir, err = r.site.store(runs); err != nil {
			return nil, fmt.Errorf("cannot plant %s: %w", r.name, err)
		}
		if r.by, err = r.site.rules(r.dir); err != nil {
			return nil, fmt.Errorf("cannot plant %s: %w", r.name, err)
		}
		all = append(all, r)
	}
	return all, nil
}

// judged has the command judge the run, and looks at what became of the fault.
func (r *plantedRun) judged(ctx context.Context, cat *matrix.Catalog) (f found, err error) {
	out, err := os.Create(r.dir.Path("said.txt"))
	if err != nil {
		return f, err
	}
	defer out.Close()
	a := &app{ctx: ctx, cat: cat, stdout: out, stderr: out, globals: globals{Runs: filepath.Dir(r.dir.Path())}}
	var by verb = &gateVerb{RunName: r.dir.Path(), ruling: r.by}
	if r.site.verb != nil {
		by = r.site.verb(r.dir.Path(), r.by)
	}
	f.code = reports.Code(complain(out, by.Run(a)))
	if _, err := out.Seek(0, io.SeekStart); err != nil {
		return f, err
	}
	text, err := io.ReadAll(out)
	f.text = string(text)
	if err != nil {
		return f, err
	}
	if j, err := r.by.read(a); err == nil { // what cannot be judged has no verdict
		if m, err := j.run(r.dir); err == nil {
			f.verdict, f.layer = r.site.looked(m)
		}
	}
	return f, nil
}

// looked is what became of the check that is looked at.
func (s *site) looked(m *reports.Matrix) (string, matrix.Layer) {
	if s.look == nil || m.Result(s.look.ID, s.check) == nil {
		return "", ""
	}
	r := m.Result(s.look.ID, s.check)
	if s.verb == nil {
		return string(r.Verdict), r.Layer()
	}
	for _, moved := range m.Rebase.Moved {
		if moved.Cell == s.look.ID && moved.Check == s.check {
			return string(moved.Move), r.Layer()
		}
	}
	return string(reports.Same), r.Layer()
}

// testGate plants each fault, judges it, and prints what came of it.
func (a *app) testGate() error {
	dir, err := os.MkdirTemp("", "virtmatrix-selftest-")
	if err != nil {
		return fmt.Errorf("cannot plant faults: %w", err)
	}
	defer os.RemoveAll(dir)
	cat, err := matrix.Default()
	if err != nil {
		return err
	}
	runs, err := plantAll(cat, dir)
	if err != nil {
		return err
	}
	wrong := 0
	err = aligned(a.stdout, func(row table) error {
		row("FAULT", "VERDICT", "LAYER", "EXIT")
		for i := range runs {
			r := &runs[i]
			f, err := r.judged(a.ctx, cat)
			if err != nil {
				return err
			}
			if row(r.name, f.verdict, f.layer, int(f.code)); !r.right(f) {
				wrong++
				row("  WRONG, want", r.verdict, r.layer, int(r.code), r.says)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "\n%s planted, %d judged wrong\n", number(len(runs), "fault"), wrong)
	if wrong > 0 {
		return exit(1)
	}
	return nil
}
