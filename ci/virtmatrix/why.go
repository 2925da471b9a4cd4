package main

import (
	"fmt"
	"os"

	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/reports"
)

// names are the words that select results: [RUN] CELL CHECK.
type names struct {
	Words []string `arg:"" name:"[run] cell check" help:"Names or parts of names; before them, if not the latest is meant, the run."`
}

// split parts the run from the words that select.
func (n names) split(a *app) (run string, words []string) {
	if len(n.Words) > 1 && a.isRun(n.Words[0]) {
		return n.Words[0], n.Words[1:]
	}
	return "", n.Words
}

type whyVerb struct {
	names
	ruling
	Format string `enum:"text,md" default:"text" placeholder:"FORM" help:"text, or md: a report for a bug tracker."`
}

// Help is what virtmatrix why --help says beyond the flags.
func (*whyVerb) Help() string {
	return `With a cell and a check it tells all about each result that both select. With only one of them, all about what did not pass there.

Examples:
  virtmatrix why xen O-SAVE
  virtmatrix why O-SAVE
  virtmatrix why libvirt-11.3 O-SAVE -format md
  virtmatrix why 20261121-234501-smoke kvm_linux-6.12_qemu-10.0_libvirt-9.0 IQ-QMP`
}

// Run explains the results.
func (v *whyVerb) Run(a *app) error {
	run, words := v.split(a)
	if len(words) > 2 {
		return fmt.Errorf("cannot explain %q: give [RUN] CELL CHECK", v.Words)
	}
	j, err := v.ruling.read(a)
	if err != nil {
		return err
	}
	d, err := a.openRun(run)
	if err != nil {
		return err
	}
	m, err := j.run(d)
	if err != nil {
		return err
	}
	results, err := pick(m, words)
	if err != nil {
		return err
	}
	cat, err := matrix.Default()
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(d.Path())
	if err != nil {
		return fmt.Errorf("cannot open run: %w", err)
	}
	defer root.Close()
	if err := j.remember(d, m); err != nil {
		return err
	}
	for i, r := range results {
		if i > 0 {
			fmt.Fprintln(a.stdout)
		}
		if v.Format == "md" {
			fmt.Fprint(a.stdout, reports.Ticket(m, root.FS(), r.Cell, r.Check, asserts(cat, r.Check)))
			continue
		}
		fmt.Fprint(a.stdout, reports.Explain(m, root.FS(), r.Cell, r.Check))
	}
	if len(results) == 0 {
		fmt.Fprintf(a.stdout, "everything that %s selects passed or does not apply\n", words[0])
	}
	return nil
}

// asserts is the sentence of a check. A run of another virtmatrix may have checks that this
// one does not know.
func asserts(cat *matrix.Catalog, check string) string {
	if c, err := cat.Check(check); err == nil {
		return c.Asserts
	}
	return "what " + check + " asserts, which this virtmatrix does not know"
}

// pick returns the results that the words select: those of a cell and a check,
// or the troubled ones of a cell or a check.
func pick(m *reports.Matrix, words []string) ([]*reports.Result, error) {
	cells, checks := namesIn(m)
	if len(words) == 1 {
		return troubled(m, words[0], cells, checks)
	}
	cells, err := matrix.Select(words[:1], cells)
	if err != nil {
		return nil, fmt.Errorf("cannot select cell: %w", err)
	}
	checks, err = matrix.Select(words[1:], checks)
	if err != nil {
		return nil, fmt.Errorf("cannot select check: %w", err)
	}
	var out []*reports.Result
	for _, cell := range cells {
		for _, check := range checks {
			if r := m.Result(cell, check); r != nil {
				out = append(out, r)
			}
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("none of the cells that %s selects was asked any check that %s selects", words[0], words[1])
	}
	return out, nil
}

func troubled(m *reports.Matrix, word string, cells, checks []string) ([]*reports.Result, error) {
	if _, err := matrix.Select([]string{word}, append(cells, checks...)); err != nil {
		return nil, fmt.Errorf("cannot select cell or check: %w", err)
	}
	inCells, _ := matrix.Select([]string{word}, cells)
	ofChecks, _ := matrix.Select([]string{word}, checks)
	wanted := map[string]bool{}
	for _, name := range append(inCells, ofChecks...) {
		wanted[name] = true
	}
	var out []*reports.Result
	for i := range m.Results {
		r := &m.Results[i]
		if r.Verdict != matrix.Pass && r.Verdict != matrix.Unsupported && (wanted[r.Cell] || wanted[r.Check]) {
			out = append(out, r)
		}
	}
	return out, nil
}

// namesIn lists the cells and the checks of a matrix, each once.
func namesIn(m *reports.Matrix) (cells, checks []string) {
	seen := map[string]bool{}
	for _, c := range m.Cells {
		cells = append(cells, c.ID)
	}
	for _, r := range m.Results {
		if !seen[r.Check] {
			seen[r.Check] = true
			checks = append(checks, r.Check)
		}
	}
	return cells, checks
}
