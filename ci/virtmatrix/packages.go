package main

import (
	"fmt"

	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/reports"
)

type packagesVerb struct {
	Words []string `arg:"" optional:"" name:"what" help:"Two runs, or two cells with their run before them if it is not the latest; or one run, or nothing for the latest."`
}

// Help is what virtmatrix packages --help says beyond the flags.
func (*packagesVerb) Help() string {
	return `Tells package by package what differs: between the cells of a change and their baselines, between two cells, or between the cells that two runs both have. Where the packages are still in the cache, what their changelogs say between the two versions follows.

Examples:
  virtmatrix packages
  virtmatrix packages 20261121-234501-nightly 20261122-234501-nightly
  virtmatrix packages qemu-7.2_libvirt-9.0_tier qemu-10.0_libvirt-11.3_tier`
}

// Run prints what differs.
func (v *packagesVerb) Run(a *app) error {
	moves, err := v.moves(a)
	if err != nil {
		return err
	}
	if len(moves) == 0 {
		fmt.Fprintln(a.stdout, "no package differs: of these cells, or because no cell has a baseline; name two cells, or two runs")
	}
	d, err := a.driver(nil)
	if err != nil {
		return err
	}
	for i, m := range moves {
		if m.Entries, err = d.Changelogs(a.ctx, m.Differences); err != nil {
			return err
		}
		if i > 0 {
			fmt.Fprintln(a.stdout)
		}
		fmt.Fprint(a.stdout, m.Text())
	}
	return nil
}

func (v *packagesVerb) moves(a *app) ([]reports.PackageDiff, error) {
	var runs []string
	words := v.Words
	for len(words) > 0 && len(runs) < 2 && a.isRun(words[0]) {
		runs, words = append(runs, words[0]), words[1:]
	}
	if len(words) != 0 && len(words) != 2 || len(runs) == 2 && len(words) > 0 {
		return nil, fmt.Errorf("cannot compare %q: give two runs, or [RUN] and two cells", v.Words)
	}
	j, err := ruling{}.read(a)
	if err != nil {
		return nil, err
	}
	var judged []*reports.Matrix
	for _, name := range append(runs, "")[:max(len(runs), 1)] {
		d, err := a.openRun(name)
		if err != nil {
			return nil, err
		}
		m, err := j.run(d)
		if err != nil {
			return nil, err
		}
		judged = append(judged, m)
	}
	if len(judged) == 2 {
		return judged[1].Since(judged[0], runs[1], runs[0]), nil
	}
	if len(words) == 0 {
		return judged[0].PackageDiffs(), nil
	}
	was, err := oneCell(judged[0], words[0])
	if err != nil {
		return nil, err
	}
	now, err := oneCell(judged[0], words[1])
	if err != nil {
		return nil, err
	}
	return []reports.PackageDiff{judged[0].Between(was, now)}, nil
}

// oneCell is the cell that a name, or a part of it, selects.
func oneCell(m *reports.Matrix, word string) (*reports.Cell, error) {
	cells, _ := namesIn(m)
	found, err := matrix.Select([]string{word}, cells)
	if err != nil {
		return nil, fmt.Errorf("cannot select cell: %w", err)
	}
	for i := range m.Cells {
		if m.Cells[i].ID == word || len(found) == 1 && m.Cells[i].ID == found[0] {
			return &m.Cells[i], nil
		}
	}
	return nil, fmt.Errorf("cannot select cell: %q is %d of them: %v", word, len(found), found)
}
