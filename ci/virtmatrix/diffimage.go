package main

import (
	"fmt"
	"os"

	"github.com/virtmatrix/virtmatrix/internal/progress"
	"github.com/virtmatrix/virtmatrix/internal/rundir"
	"github.com/virtmatrix/virtmatrix/reports"
)

type diffImageVerb struct {
	Old    string `arg:"" placeholder:"OLD" help:"COMPONENT=VERSION, or the name of an image."`
	New    string `arg:"" placeholder:"NEW" help:"What to compare it with."`
	Format string `default:"md" placeholder:"NAME" help:"md, html or json."`
	Output string `short:"o" placeholder:"FILE" help:"Write there, not to the terminal."`
}

// Help is what virtmatrix diff-image --help says beyond the flags.
func (*diffImageVerb) Help() string {
	return `Tells what of OLD users miss in NEW, before anything boots: commands, options, devices, machine types, CPU models, symbols, schemas, configuration, files. What each image offers is captured once, in seconds, and kept.

A finding is what breaks who relied on it. Those that upstream has announced are told with where; what only a package takes away is told apart.

Examples:
  virtmatrix diff-image qemu=7.2 qemu=10.0
  virtmatrix diff-image libvirt=9.0 libvirt=newest -format html -o libvirt.html
  virtmatrix diff-image linux=6.1 linux=6.12 -format json | jq '.diffs[].groups[] | select(.breaks)'
  ls /var/cache/virtmatrix/images    # the names of images`
}

// Run compares the images.
func (v *diffImageVerb) Run(a *app) error {
	render, err := reports.DiffFormatNamed(v.Format)
	if err != nil {
		return err
	}
	sink, done := progress.Show(a.stderr, nil)
	c, err := v.compare(a, sink)
	done()
	if err != nil {
		return err
	}
	if v.Output == "" {
		return render(a.stdout, c)
	}
	if err := rundir.Replace(v.Output, func(f *os.File) error { return render(f, c) }); err != nil {
		return fmt.Errorf("cannot write comparison: %w", err)
	}
	return nil
}

func (v *diffImageVerb) compare(a *app, sink progress.Sink) (c reports.Comparison, err error) {
	cat, err := a.catalog()
	if err != nil {
		return c, err
	}
	d, err := a.driver(sink)
	if err != nil {
		return c, err
	}
	old, err := d.Captured(cat, v.Old)
	if err != nil {
		return c, err
	}
	new, err := d.Captured(cat, v.New)
	if err != nil {
		return c, err
	}
	// A mistake in a name is told to whoever makes it.
	if err := asRoot(); err != nil {
		return c, err
	}
	diffs, err := d.Diffs(a.ctx, cat, old, new)
	return reports.Comparison{Old: v.Old, New: v.New, Diffs: diffs}, err
}
