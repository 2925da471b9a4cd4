package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/virtmatrix/virtmatrix/internal/progress"
	"github.com/virtmatrix/virtmatrix/internal/run"
	"github.com/virtmatrix/virtmatrix/matrix"
)

type buildVerb struct {
	selection
	Plan string `placeholder:"FILE" help:"Build for this frozen plan."`
}

// Help is what virtmatrix build --help says beyond the flags.
func (*buildVerb) Help() string {
	return `Images are stored by what went into them: what is there already is only verified.

Examples:
  virtmatrix build -profile smoke
  virtmatrix build -plan plan.json`
}

// Run makes the images.
func (v *buildVerb) Run(a *app) error {
	plan, err := a.planned(v.Plan, v.selection)
	if err != nil {
		return err
	}
	sink, done := progress.Show(a.stderr, nil)
	err = a.build(plan, sink)
	done()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.stdout, "the images of %s are in %s\n", number(len(plan.Cells), "cell"), a.Home)
	return err
}

// planned is the plan in the file, or what is selected of it; without a file it
// is a new plan.
func (a *app) planned(file string, s selection) (*matrix.Plan, error) {
	if file == "" {
		return a.plan(s)
	}
	if s.chooses() {
		return nil, fmt.Errorf("cannot use plan %s: its cells are chosen already; leave out -profile, -changed, -t and -budget, or make a new plan without -plan", file)
	}
	plan, err := readPlan(file)
	if err != nil || !s.narrows() {
		return plan, err
	}
	return narrow(plan, s)
}

func (a *app) build(plan *matrix.Plan, sink progress.Sink) error {
	d, cat, err := a.builder(sink)
	if err != nil {
		return err
	}
	_, err = d.Build(a.ctx, cat, plan)
	return err
}

// builder is a driver that may build images, and the catalogue that it needs.
func (a *app) builder(sink progress.Sink) (*run.Driver, *matrix.Catalog, error) {
	if err := asRoot(); err != nil {
		return nil, nil, err
	}
	cat, err := a.catalog()
	if err != nil {
		return nil, nil, err
	}
	d, err := a.driver(sink)
	return d, cat, err
}

// asRoot says what may not be done without being root.
func asRoot() error {
	if os.Geteuid() == 0 {
		return nil
	}
	return errors.New("cannot build images: packages are installed and images mounted as root; run with sudo")
}
