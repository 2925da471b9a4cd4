package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/virtmatrix/virtmatrix/internal/progress"
	"github.com/virtmatrix/virtmatrix/internal/rundir"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/driver"
)

// selection says what of a profile is wanted.
type selection struct {
	Profile string   `default:"${profile}" placeholder:"NAME" help:"The profile to plan (${default}); see virtmatrix list profiles."`
	Cells   []string `placeholder:"CELL" help:"Only these cells."`
	Checks  []string `placeholder:"CHECK" help:"Only these checks, and the boot check."`
	Seed    int64    `placeholder:"N" help:"Order the checks by this number; a new order otherwise."`
}

// narrows says whether less is wanted, or in another order, than there is.
func (s selection) narrows() bool { return len(s.Cells)+len(s.Checks) > 0 || s.Seed != 0 }

// request is what the selection asks of the matrix.
func (s selection) request() matrix.Request {
	seed := s.Seed
	if seed == 0 {
		seed = rand.Int64N(1<<31-1) + 1
	}
	return matrix.Request{Profile: s.Profile, Cells: s.Cells, Checks: s.Checks, Seed: seed}
}

type planVerb struct {
	selection
	Output    string `short:"o" placeholder:"FILE" help:"Store the plan, for virtmatrix run -plan FILE."`
	NoResolve bool   `help:"Only look at cells and checks; such a plan cannot be run."`
}

// Help is what virtmatrix plan --help says beyond the flags.
func (*planVerb) Help() string {
	return `Prints the cells, the number of checks, what does not apply and why, and the leading packages of each cell.

Examples:
  virtmatrix plan
  virtmatrix plan -profile ci -cells libvirt-9.0 -checks O-SAVE,O-MSAVE -o plan.json
  virtmatrix plan -no-resolve        # without asking the mirror`
}

// Run plans and shows the plan.
func (v *planVerb) Run(a *app) error {
	plan, err := v.plan(a)
	if err != nil {
		return err
	}
	if v.Output != "" {
		if err := rundir.Replace(v.Output, func(f *os.File) error { return plan.Write(f) }); err != nil {
			return fmt.Errorf("cannot store plan: %w", err)
		}
	}
	return showPlan(a.stdout, plan)
}

func (v *planVerb) plan(a *app) (*matrix.Plan, error) {
	if !v.NoResolve {
		return a.plan(v.selection)
	}
	cat, err := a.catalog()
	if err != nil {
		return nil, err
	}
	return matrix.New(cat, v.request())
}

// plan freezes a selection with the exact packages.
func (a *app) plan(s selection) (*matrix.Plan, error) {
	cat, err := a.catalog()
	if err != nil {
		return nil, err
	}
	// The names are checked before the mirror is asked for anything.
	req := s.request()
	if _, err := matrix.New(cat, req); err != nil {
		return nil, err
	}
	sink, done := progress.Plain(a.stderr)
	defer done()
	d, err := a.driver(sink)
	if err != nil {
		return nil, err
	}
	return d.Plan(a.ctx, cat, req)
}

// driver opens the driver, which also removes what killed runs left.
func (a *app) driver(sink progress.Sink) (*driver.Driver, error) {
	d, err := driver.Open(driver.Config{Home: a.Home, Runtime: a.Runtime, Mirror: a.Mirror, Fresh: a.Fresh, Events: sink})
	if err != nil {
		return nil, err
	}
	for _, path := range d.Swept {
		fmt.Fprintf(a.stderr, "removed %s, which a killed run left\n", path)
	}
	return d, nil
}

// readPlan reads a plan that can be run.
func readPlan(path string) (*matrix.Plan, error) {
	if text, err := os.ReadFile(path); err == nil {
		var p struct{ Hash string }
		if json.Unmarshal(text, &p) == nil && p.Hash == "" {
			return nil, fmt.Errorf("cannot run plan %s: it names no packages, because it was made with -no-resolve; plan again without that", path)
		}
	}
	return rundir.ReadPlan(path)
}

// showPlan prints a plan for people.
func showPlan(w io.Writer, p *matrix.Plan) error {
	var applies, not int
	for i := range p.Cells {
		a, n := countChecks(&p.Cells[i])
		applies, not = applies+a, not+n
	}
	fmt.Fprintf(w, "profile %s: %s, %s, %d not applicable; seed %d\n",
		p.Profile, number(len(p.Cells), "cell"), number(applies, "check"), not, p.Seed)
	for i := range p.Cells {
		if err := showCell(w, &p.Cells[i]); err != nil {
			return err
		}
	}
	state := fmt.Sprintf("plan %.12s", p.Hash)
	if p.Hash == "" {
		state = "packages are not resolved: this plan is for looking only"
	}
	_, err := fmt.Fprintf(w, "\n%s\n", state)
	return err
}

func showCell(w io.Writer, c *matrix.Cell) error {
	applies, not := countChecks(c)
	fmt.Fprintf(w, "\n%s (%s): %s, %d not applicable\n", c.ID, c.Composition, number(applies, "check"), not)
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, choice := range c.Stack {
		fields := []string{"    " + string(choice.Component), choice.Version, choice.Release}
		if choice.Package != "" {
			fields = append(fields, choice.Package)
		}
		fmt.Fprintln(t, strings.Join(fields, "\t"))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, r := range reasons(c) {
		fmt.Fprintf(w, "    %d not applicable: %s\n", r.count, r.text)
	}
	return nil
}

func countChecks(c *matrix.Cell) (applies, not int) {
	for _, check := range c.Checks {
		if check.Unsupported == "" {
			applies++
		} else {
			not++
		}
	}
	return applies, not
}

type reason struct {
	text  string
	count int
}

// reasons counts why checks do not apply to a cell, in the plan's order.
func reasons(c *matrix.Cell) []reason {
	var out []reason
	at := map[string]int{}
	for _, check := range c.Checks {
		if check.Unsupported == "" {
			continue
		}
		i, ok := at[check.Unsupported]
		if !ok {
			i = len(out)
			at[check.Unsupported] = i
			out = append(out, reason{text: check.Unsupported})
		}
		out[i].count++
	}
	return out
}
