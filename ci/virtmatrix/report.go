package main

import (
	"fmt"
	"io"
	"os"

	"github.com/virtmatrix/virtmatrix/internal/progress"
	"github.com/virtmatrix/virtmatrix/internal/rundir"
	"github.com/virtmatrix/virtmatrix/reports"
)

type reportVerb struct {
	RunName string `arg:"" optional:"" name:"run" help:"Path or name of the run; the latest otherwise."`
	ruling
	output
}

// output is where a report goes, and how it looks.
type output struct {
	Format string `default:"terminal" placeholder:"NAME" help:"terminal, md, html, junit, json, or badge (SVG)."`
	Output string `short:"o" placeholder:"FILE" help:"Write there, not to the terminal."`
}

// Help is what virtmatrix report --help says beyond the flags.
func (*reportVerb) Help() string {
	return `The run is judged anew from its plan and journal, so a killed run has a report too.

Examples:
  virtmatrix report
  virtmatrix report runs/20261121-234501-smoke -format html -o matrix.html
  virtmatrix report -format junit -o junit.xml`
}

// Run renders the run.
func (v *reportVerb) Run(a *app) error {
	format, err := reports.FormatNamed(v.Format, reports.Options{})
	if err != nil {
		return err
	}
	j, err := v.ruling.read(a)
	if err != nil {
		return err
	}
	d, err := a.openRun(v.RunName)
	if err != nil {
		return err
	}
	m, err := j.run(d)
	if err != nil {
		return err
	}
	evidence, err := os.OpenRoot(d.Path())
	if err != nil {
		return fmt.Errorf("cannot open run: %w", err)
	}
	defer evidence.Close()
	options := reports.Options{Evidence: evidence.FS(), Colour: v.Output == "" && progress.Colour(a.stdout)}
	if format, err = reports.FormatNamed(v.Format, options); err != nil {
		return err
	}
	return v.write(a.stdout, func(w io.Writer) error { return format.Render(w, m) })
}

func (v output) write(stdout io.Writer, render func(io.Writer) error) error {
	if v.Output == "" {
		return render(stdout)
	}
	if err := rundir.Replace(v.Output, func(f *os.File) error { return render(f) }); err != nil {
		return fmt.Errorf("cannot write report: %w", err)
	}
	return nil
}

type gateVerb struct {
	RunName string `arg:"" optional:"" name:"run" help:"Path or name of the run; the latest otherwise."`
	ruling
}

// Help is what virtmatrix gate --help says beyond the flags.
func (*gateVerb) Help() string {
	return `Exit code 0: ship. 1: hold, the product misbehaved. 2: could not judge, for example because checks have no result.

Examples:
  virtmatrix gate
  virtmatrix gate runs/20261121-234501-smoke -policy gate.yaml && release`
}

// Run gates the run.
func (v *gateVerb) Run(a *app) error {
	j, err := v.ruling.read(a)
	if err != nil {
		return err
	}
	d, err := a.openRun(v.RunName)
	if err != nil {
		return err
	}
	m, err := j.run(d)
	if err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "%s (exit %d)\n", m.Decision.Code, m.Decision.Code)
	for _, reason := range m.Decision.Reasons {
		fmt.Fprintf(a.stdout, "  - %s\n", reason)
	}
	return leave(m.Decision.Code)
}
