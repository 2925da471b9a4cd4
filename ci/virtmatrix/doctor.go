package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/virtmatrix/virtmatrix/internal/accel"
	"github.com/virtmatrix/virtmatrix/internal/admit"
	"github.com/virtmatrix/virtmatrix/internal/container"
	"github.com/virtmatrix/virtmatrix/internal/machine"
	"github.com/virtmatrix/virtmatrix/internal/progress"
	"github.com/virtmatrix/virtmatrix/internal/run"
	"github.com/virtmatrix/virtmatrix/internal/source/registry"
	"github.com/virtmatrix/virtmatrix/internal/source/tool"
	"github.com/virtmatrix/virtmatrix/matrix"
)

type doctorVerb struct {
	Boot     bool `help:"Boot a kernel to find out what runs hosts here: the images of one cell are built for that."`
	Releases bool `help:"Ask the repositories of each release of the catalogue: do they answer, are they signed as it says, and do they hold what images are made of?"`
	Packages bool `help:"Print only the Debian packages that are missing, for ci/setup."`
}

// Help is what virtmatrix doctor --help says beyond the flags.
func (*doctorVerb) Help() string {
	return `Exit code 0 when runs can work here, 2 otherwise. ci/setup installs what is missing.

Examples:
  virtmatrix doctor
  virtmatrix doctor -boot
  virtmatrix --matrix matrix/centos doctor -releases`
}

// Run looks at the machine.
func (v *doctorVerb) Run(a *app) error {
	cat, err := a.catalog()
	if err != nil {
		return err
	}
	if v.Releases {
		return a.releases(cat)
	}
	tools := run.Tools(cat)
	if v.Packages {
		// Tests ask all kinds of sources, whichever the catalogue has.
		tools = run.Tools(nil)
	}
	needs := machine.Needs{
		Home: a.Home, Runs: a.Runs, Tools: tools,
		Mirror: func(ctx context.Context) (string, error) { return a.mirror(ctx, cat) },
		Fits:   func(ctx context.Context) (admit.Fit, error) { return run.Fits(ctx, a.Runtime) },

		Containers: container.Probe,
	}
	if v.Boot && !v.Packages {
		needs.Accelerator = a.accelerator
	}
	findings := machine.Look(a.ctx, needs)
	if v.Packages {
		for _, p := range machine.Packages(findings) {
			fmt.Fprintln(a.stdout, p)
		}
		return nil
	}
	diagnose(a.stdout, findings)
	if !machine.Works(findings) {
		fmt.Fprintln(a.stdout, "\nruns cannot work here yet")
		return exit(exitTrouble)
	}
	fmt.Fprintln(a.stdout, "\nruns can work here")
	if !v.Boot {
		fmt.Fprintln(a.stdout, "whether with KVM or with emulation is found out by booting: virtmatrix doctor -boot, or the first run")
	}
	return nil
}

func diagnose(w io.Writer, findings []machine.Finding) {
	for _, f := range findings {
		fmt.Fprintf(w, "%-8s %-16s %s\n", f.Grade, f.Subject, f.Text)
		if f.Fix != "" {
			fmt.Fprintf(w, "%-8s %-16s fix: %s\n", "", "", f.Fix)
		}
	}
}

// mirror finds where plans would be resolved.
func (a *app) mirror(ctx context.Context, cat *matrix.Catalog) (string, error) {
	return registry.Mirrors(ctx, registry.Options{Home: a.Home, Mirror: a.Mirror}, cat)
}

// accelerator boots a kernel of the first cell of the default profile.
func (a *app) accelerator(ctx context.Context) (string, error) {
	cat, err := a.catalog()
	if err != nil {
		return "", err
	}
	if err := tool.Require(run.Tools(cat)); err != nil {
		return "", err
	}
	sink, done := progress.Show(a.stderr, nil)
	defer done()
	whole, err := matrix.New(cat, matrix.Request{Profile: matrix.DefaultProfile})
	if err != nil {
		return "", err
	}
	d, err := a.driver(sink)
	if err != nil {
		return "", err
	}
	plan, err := d.Plan(ctx, cat, matrix.Request{Profile: whole.Profile, Cells: []string{whole.Cells[0].ID}})
	if err != nil {
		return "", err
	}
	result, err := d.Probe(ctx, cat, plan)
	if err != nil {
		return "", err
	}
	return describeAccel(result), nil
}

func describeAccel(r accel.Result) string {
	text := fmt.Sprintf("%s: a kernel came up in %.1fs", r.Accel, r.Seconds)
	if r.Scale > 1.05 {
		text += fmt.Sprintf(", time limits are stretched %.1f times", r.Scale)
	}
	if r.WhyNotKVM != "" {
		if _, err := os.Stat("/dev/kvm"); err == nil {
			text += "; /dev/kvm is there, but: " + printable(r.WhyNotKVM)
		} else {
			text += "; " + r.WhyNotKVM
		}
	}
	return text
}
