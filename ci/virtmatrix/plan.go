package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/virtmatrix/virtmatrix/internal/progress"
	"github.com/virtmatrix/virtmatrix/internal/run"
	"github.com/virtmatrix/virtmatrix/internal/rundir"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/reports"
)

// selection says what of a profile is wanted.
type selection struct {
	Profile string   `placeholder:"NAME" help:"The profile to plan (${profile}; with -changed ${changeProfile}); see virtmatrix list profiles."`
	Cells   []string `placeholder:"CELL" help:"Only these cells."`
	Checks  []string `placeholder:"CHECK" help:"Only these checks, and the boot check."`
	Changed string   `placeholder:"AXIS=FROM..TO" help:"Plan the cells in which this change can matter, each with its baseline."`
	// Candidate has packages that no release has yet.
	Candidate string `placeholder:"COMPONENT=WHERE" help:"Plan the cells in which packages that are not released yet can matter, each with its baseline: WHERE is a folder of package files, what make install DESTDIR=WHERE left or a tar of it, a release, or a repository: 'ADDRESS SUITE [KEYRING|unsigned]' of Debian packages; 'ADDRESS KEYRING|unsigned', or its name in the catalogue, of RPMs. COMPONENT@RELEASE=WHERE says which release they are laid over."`
	Strength  int    `short:"t" placeholder:"N" help:"Cover each combination of N values, in place of what the profile says (2: pairs)."`
	Budget    int    `placeholder:"N" help:"At most N cells: those that cover most."`
	// Everywhere is the test of what checks say they depend on: both ways agree.
	Everywhere bool `help:"Ask each check in each cell, also where another cell has everything that the answer depends on."`
	// Isolation is what each check shares its host with; empty for what they say.
	Isolation string `enum:",cell,check" default:"" placeholder:"cell|check" help:"Run each check on a pristine host of its own (check), or those of a cell on one (cell), whatever they ask for."`
}

// narrows says whether less is wanted than there is.
func (s selection) narrows() bool { return len(s.Cells)+len(s.Checks) > 0 }

// chooses says whether the selection has a word in which cells a plan is made of.
func (s selection) chooses() bool {
	return s.Isolation != "" || s.Everywhere || s.Profile != "" || s.Changed != "" || s.Candidate != "" || s.Strength != 0 || s.Budget != 0
}

// request is what the selection asks of the matrix.
func (s selection) request() (matrix.Request, error) {
	req := matrix.Request{
		Profile: cmp.Or(s.Profile, matrix.DefaultProfile), Cells: s.Cells, Checks: s.Checks, Strength: s.Strength, Budget: s.Budget,
		Isolation: matrix.Isolation(s.Isolation), Everywhere: s.Everywhere,
	}
	if s.Candidate != "" {
		w, err := matrix.ParseCandidate(s.Candidate)
		if err == nil && s.Changed != "" {
			err = fmt.Errorf("cannot plan the change %s and the candidate %s at once: a candidate is a change; leave one out", s.Changed, w)
		}
		req.Wanted, req.Profile = &w, cmp.Or(s.Profile, matrix.ChangeProfile)
		return req, err
	}
	if s.Changed == "" {
		return req, nil
	}
	change, err := matrix.ParseChange(s.Changed)
	if err != nil {
		return matrix.Request{}, err
	}
	req.Change, req.Profile = &change, cmp.Or(s.Profile, matrix.ChangeProfile)
	return req, nil
}

type planVerb struct {
	selection
	Output    string `short:"o" placeholder:"FILE" help:"Store the plan, for virtmatrix run -plan FILE."`
	NoResolve bool   `help:"Only look at cells and checks; such a plan cannot be run."`
	Explain   bool   `help:"Tell for each cell why it is in, and for each stack that is left out why not."`
}

// Help is what virtmatrix plan --help says beyond the flags.
func (*planVerb) Help() string {
	return `Prints the cells in the order in which they run, the number of checks, what another cell answers, what does not apply and why, the leading packages of each cell, and how long a run may take: what its checks were measured to cost, and 3 s for each host that is a container, 4 s for each that is restored, and 60 s for each that boots, without the images.

Examples:
  virtmatrix plan
  virtmatrix plan -profile ci -cells libvirt-9.0 -checks O-SAVE,O-MSAVE -o plan.json
  virtmatrix plan -profile containers -cells 'qemu-10*'
  virtmatrix plan -changed libvirt=9.0..11.3 -explain
  virtmatrix plan -profile containers -candidate libvirt=/srv/rebuild
  virtmatrix plan -profile containers -candidate 'libvirt@bookworm=http://host/debian testing unsigned'
  virtmatrix plan -profile nightly -t 3 -budget 40
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
	if err := showPlan(a.stdout, plan, v.Explain); err != nil {
		return err
	}
	if err := a.showEstimate(plan); err != nil {
		return err
	}
	if err := a.showKept(plan); err != nil || !v.Explain {
		return err
	}
	left, err := v.leftOut(a, plan)
	if err != nil {
		return err
	}
	return showLeftOut(a.stdout, left)
}

func (v *planVerb) plan(a *app) (*matrix.Plan, error) {
	if !v.NoResolve {
		return a.plan(v.selection)
	}
	cat, err := a.catalog()
	if err != nil {
		return nil, err
	}
	req, err := v.request()
	if err != nil {
		return nil, err
	}
	return matrix.New(cat, req)
}

// leftOut lists the stacks that are not in the plan.
func (v *planVerb) leftOut(a *app, plan *matrix.Plan) ([]matrix.LeftOutCell, error) {
	cat, err := a.catalog()
	if err != nil {
		return nil, err
	}
	if v.NoResolve {
		return matrix.LeftOut(cat, plan)
	}
	req, err := v.request()
	if err != nil {
		return nil, err
	}
	d, err := a.driver(nil)
	if err != nil {
		return nil, err
	}
	return d.LeftOut(a.ctx, cat, req, plan)
}

// plan freezes a selection with the exact packages.
func (a *app) plan(s selection) (*matrix.Plan, error) {
	cat, err := a.catalog()
	if err != nil {
		return nil, err
	}
	// The names are checked before the mirror is asked for anything.
	req, err := s.request()
	if err != nil {
		return nil, err
	}
	wanted, err := cat.Wanted(req)
	if err != nil {
		return nil, err
	}
	early := req
	if p, err := cat.Profile(req.Profile); req.Change != nil || err == nil && len(p.Covers) > 0 {
		// Which cells are generated depends on what the packages say.
		early.Cells = nil
	}
	// Of a candidate nobody knows the cells before it was looked at.
	if wanted == nil {
		if _, err := matrix.New(cat, early); err != nil {
			return nil, err
		}
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
func (a *app) driver(sink progress.Sink) (*run.Driver, error) {
	d, err := run.Open(run.Config{Home: a.Home, Runtime: a.Runtime, Mirror: a.Mirror, Fresh: a.Fresh, Events: sink})
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

// showPlan prints a plan for people, with the reasons for its cells if asked.
func showPlan(w io.Writer, p *matrix.Plan, explain bool) error {
	c := countChecks(p.Cells...)
	fmt.Fprintf(w, "profile %s: %s, %s\n", p.Profile, number(len(p.Cells), "cell"), c)
	if p.Change != nil {
		fmt.Fprintf(w, "change: %s\n", p.Change)
	}
	showCandidate(w, p)
	for i := range p.Coverage {
		showCoverage(w, &p.Coverage[i])
	}
	if explain {
		if err := showOnce(w, p); err != nil {
			return err
		}
	}
	for i := range p.Cells {
		if err := showCell(w, &p.Cells[i], explain); err != nil {
			return err
		}
	}
	state := fmt.Sprintf("plan %.12s", p.Hash)
	if p.Hash == "" {
		state = "packages are not resolved, and what they state of each other is not heeded: this plan is for looking only"
	}
	_, err := fmt.Fprintf(w, "\n%s\n", state)
	return err
}

// shownExclusions is how many reasons for what cannot be are shown.
const shownExclusions = 6

// showCoverage prints what the cells of a kind cover, and what they do not.
func showCoverage(w io.Writer, c *matrix.Coverage) {
	fmt.Fprintf(w, "coverage of %s: %d of %s", c.Cells(), c.Covered, reports.Tuples(c.Valid, c))
	if len(c.Missing) > 0 {
		fmt.Fprintf(w, ", %d left out, such as %s", len(c.Missing), c.Missing[0])
	}
	fmt.Fprintln(w)
	var why []string
	tuples := map[string]int{}
	for _, e := range c.Excluded {
		if tuples[e.Why]++; tuples[e.Why] == 1 {
			why = append(why, e.Why)
		}
	}
	for i, reason := range why {
		if i == shownExclusions && len(why) > shownExclusions+1 {
			fmt.Fprintf(w, "    and %d more reasons; the stored plan has them all\n", len(why)-i)
			return
		}
		fmt.Fprintf(w, "    %d cannot be: %s\n", tuples[reason], reason)
	}
}

// showLeftOut prints the stacks that are not in a plan.
func showLeftOut(w io.Writer, left []matrix.LeftOutCell) error {
	if len(left) == 0 {
		return nil
	}
	fmt.Fprintf(w, "\nleft out: %s\n", number(len(left), "stack"))
	return aligned(w, func(row table) error {
		for _, c := range left {
			row("    "+c.ID, c.Why)
		}
		return nil
	})
}

func showCell(w io.Writer, c *matrix.Cell, explain bool) error {
	fmt.Fprintf(w, "\n%s (%s): %s\n", c.ID, c.Composition, countChecks(*c))
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, choice := range c.Stack {
		fields := []string{"    " + string(choice.Component), choice.Version, choice.Release}
		if choice.Package != "" {
			fields = append(fields, choice.Package)
		}
		if c.Tier == matrix.Container && choice.Component == matrix.Linux {
			fields = append(fields, "of the guests: the host has L0's")
		}
		fmt.Fprintln(t, strings.Join(fields, "\t"))
	}
	for _, s := range c.Settings {
		if !s.Default {
			fmt.Fprintf(t, "    %s\t%s\n", s.Axis, s.Value)
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if c.Baseline != "" {
		fmt.Fprintf(w, "    judged against %s\n", c.Baseline)
	}
	for _, why := range c.Why {
		if explain {
			fmt.Fprintf(w, "    %s\n", why)
		}
	}
	for _, r := range reasons(c) {
		fmt.Fprintf(w, "    %d not applicable: %s\n", r.count, r.text)
	}
	return nil
}
