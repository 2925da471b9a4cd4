package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/virtmatrix/virtmatrix/internal/rundir"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/reports"
	"github.com/virtmatrix/virtmatrix/reports/blame"
)

type blameVerb struct {
	names
	ruling
	From     string `placeholder:"CELL|RUN" help:"What it is held against: a cell of the run in which the check passes, or a run or stored baseline in whose cell of the same name it does. Otherwise the cell's baseline, if the run is of a change, or the passing cell that differs least."`
	Times    int    `default:"3" placeholder:"N" help:"Ask each answer that decides N times (${default})."`
	Parallel int    `placeholder:"N" help:"Run N cells side by side (as many as fit)."`
	Format   string `default:"text" enum:"text,md" help:"text, or md: to be pasted into a bug report."`
	Output   string `short:"o" placeholder:"FILE" help:"Write there, not to the terminal."`
}

// Help is what virtmatrix blame --help says beyond the flags.
func (*blameVerb) Help() string {
	return `Names what makes a check fail on one stack that passes on another: first both verdicts are reproduced. Then one part at a time is reverted, all others as they are now: a component, a setting or, between two runs of one cell, an image. Where no single one explains it, pairs are. A part that is needed is moved alone as well, which tells one part from an interaction. Versions of the catalogue between the two are bisected. Each answer that decides is asked as often as -times says, and one that is not always the same blames nobody. The runs about it are kept in the run's folder. A component brings what else its image has: the report counts the packages that differ.

Exit code 0: somebody is blamed. 1: it is a flake, or does not happen again. 2: it cannot be told.

Examples:
  virtmatrix blame O-CHAIN                              # the latest run, of a change
  virtmatrix blame 20261121-234501-containers qemu-11.1_libvirt-11.3 O-SAVE
  virtmatrix blame qemu-11.1_libvirt-11.3 O-SAVE -from qemu-10.0_libvirt-12.8
  virtmatrix blame latest O-SAVE -from released -format md -o bug.md`
}

// Run blames.
func (v *blameVerb) Run(a *app) error {
	if v.Times < 2 {
		return errors.New("cannot blame after asking once: give -times 2 or more")
	}
	b, err := v.prepare(a)
	if err != nil {
		return err
	}
	fmt.Fprintf(a.stderr, "%s on %s, held against %s: %s\n", b.red.Check, b.is.ID, b.wasName, number(len(b.parts), "part"))
	result, err := blame.Search(a.ctx, b.parts, v.Times, b)
	if err != nil {
		return err
	}
	o := output{Output: v.Output}
	if err := o.write(a.stdout, func(w io.Writer) error { return b.report(w, result, v.Format == "md") }); err != nil {
		return err
	}
	switch result.Outcome {
	case blame.Flaky, blame.Gone:
		return exit(1)
	case blame.Untold:
		return exit(2)
	}
	return nil
}

// blaming is a check that fails on one cell and passes on another, to be asked between them.
type blaming struct {
	*asking
	red *reports.Result
	// is and was are the cells, with their plans; wasName says which the passing one is.
	is, was         *matrix.Cell
	isPlan, wasPlan *matrix.Plan
	wasName         string
	parts           []blame.Part
	// roles are the images that parts are, and axes those that other parts are.
	roles, axes map[int]string
	// composed are the cells of stacks that were asked, as they were planned.
	composed map[string]plannedCell
}

type plannedCell struct {
	matrix.Cell
	sets map[string]matrix.PackageSet
}

// prepare finds the two sides.
func (v *blameVerb) prepare(a *app) (*blaming, error) {
	run, words := v.split(a)
	if len(words) > 2 {
		return nil, fmt.Errorf("cannot blame %q: give [RUN] [CELL] CHECK", v.Words)
	}
	j, err := v.ruling.read(a)
	if err != nil {
		return nil, err
	}
	d, err := a.openRun(run)
	if err != nil {
		return nil, err
	}
	m, err := j.run(d)
	if err != nil {
		return nil, err
	}
	if err := m.Damage.Err(); err != nil {
		return nil, fmt.Errorf("cannot blame by %s: %w", short(d.Path()), err)
	}
	b := &blaming{composed: map[string]plannedCell{}, roles: map[int]string{}, axes: map[int]string{}}
	if b.asking, err = a.asking(j, d, blameDir, v.Parallel); err != nil {
		return nil, err
	}
	b.fresh = true
	results, err := pick(m, words)
	if err != nil {
		return nil, err
	}
	if b.red = failing(m, results); b.red == nil {
		return nil, fmt.Errorf("there is nothing to blame: no check failed of what %q selects; see virtmatrix report %s", words, short(d.Path()))
	}
	if b.red.Against != "" {
		return nil, fmt.Errorf("cannot blame for %s: it compares versions, and says itself which they are", b.red.Check)
	}
	b.isPlan = b.plans[0]
	b.is = b.isPlan.Cell(b.red.Cell)
	if err := b.from(v.From, m); err != nil {
		return nil, err
	}
	return b, b.differ()
}

// failing is the failure among results: one that regressed, if there is one.
func failing(m *reports.Matrix, results []*reports.Result) (red *reports.Result) {
	for _, r := range results {
		if r.AskedIn != "" || r.Verdict != matrix.Fail && r.Verdict != matrix.Known {
			continue
		}
		if red == nil {
			red = r
		}
		if m.Rebase != nil && slices.ContainsFunc(m.Rebase.Moved, func(moved reports.Moved) bool {
			return moved.Move == reports.Regressed && moved.Cell == r.Cell && moved.Check == r.Check
		}) {
			return r
		}
	}
	return red
}

// from finds the passing side.
func (b *blaming) from(name string, m *reports.Matrix) error {
	b.wasPlan = b.isPlan
	switch {
	case name == "" && b.is.Baseline != "":
		b.was = b.isPlan.Cell(b.is.Baseline)
	case name == "":
		b.was = b.nearest(m)
	default:
		if d, err := b.other(name); err != nil {
			return err
		} else if d != nil {
			return b.fromRun(d)
		}
		ids, err := matrix.Select([]string{name}, cellNames(b.isPlan))
		if err != nil {
			return fmt.Errorf("cannot select what to blame against: no run or baseline has that name, and as a cell: %w", err)
		}
		for _, id := range ids {
			if green(m.Result(id, b.red.Check)) {
				b.was = b.isPlan.Cell(id)
			}
		}
	}
	if b.was == nil || !green(m.Result(b.was.ID, b.red.Check)) {
		return fmt.Errorf("cannot blame: %s passes on no cell of the run that could be held against %s; name one, or another run, with -from", b.red.Check, b.is.ID)
	}
	b.wasName = b.was.ID
	return nil
}

// other is the run or the newest of the stored baseline of a name; nil if there is none.
func (b *blaming) other(name string) (*rundir.Dir, error) {
	stored, err := b.baseline(name)
	if err != nil || len(stored) > 0 {
		return append(stored, nil)[0], err
	}
	if !b.isRun(name) {
		return nil, nil
	}
	return b.openRun(name)
}

// fromRun takes the cell of the same name in another run.
func (b *blaming) fromRun(d *rundir.Dir) error {
	m, err := b.run(d)
	if err != nil {
		return err
	}
	if b.wasPlan, err = d.ReadPlan(); err != nil {
		return err
	}
	b.was, b.wasName = b.wasPlan.Cell(b.is.ID), b.is.ID+" in "+filepath.Base(d.Path())
	if b.was == nil || !green(m.Result(b.was.ID, b.red.Check)) {
		return fmt.Errorf("cannot blame: %s does not pass on %s", b.red.Check, b.wasName)
	}
	b.plans = append(b.plans, b.wasPlan)
	return nil
}

func green(r *reports.Result) bool {
	return r != nil && (r.Verdict == matrix.Pass || r.Verdict == matrix.Fixed)
}

// nearest is the passing cell that differs on the fewest axes.
func (b *blaming) nearest(m *reports.Matrix) (best *matrix.Cell) {
	least := 0
	for i := range b.isPlan.Cells {
		c := &b.isPlan.Cells[i]
		if c.Kind != b.is.Kind || c.Tier != b.is.Tier || !green(m.Result(c.ID, b.red.Check)) {
			continue
		}
		if n := len(b.differing(c)); best == nil || n < least {
			best, least = c, n
		}
	}
	return best
}

// differing are the axes on which a cell is not as the failing one.
func (b *blaming) differing(c *matrix.Cell) (axes []string) {
	for _, choice := range b.is.Stack {
		if was, _ := c.Choice(choice.Component); was.Version != choice.Version {
			axes = append(axes, string(choice.Component))
		}
	}
	for i, s := range b.is.Settings {
		if was := c.Settings[i]; was.Value != s.Value && !(was.Default && s.Default) {
			axes = append(axes, s.Axis)
		}
	}
	return axes
}

// differ finds the parts that can be moved: values of axes, and images of one release that
// two runs have with other packages.
func (b *blaming) differ() error {
	if b.was.Kind != b.is.Kind || b.was.Tier != b.is.Tier {
		return fmt.Errorf("cannot blame: %s and %s are of different kinds or tiers", b.was.ID, b.is.ID)
	}
	for _, axis := range b.differing(b.was) {
		b.axes[len(b.parts)] = axis
		b.parts = append(b.parts, blame.Part{Name: axis, Values: b.between(axis)})
	}
	for _, image := range b.is.Images {
		if was, ok := b.was.Image(image.Role); ok && was.Release == image.Release && was.Packages != image.Packages {
			b.roles[len(b.parts)] = image.Role
			b.parts = append(b.parts, blame.Part{Name: image.Role + " of " + image.Release, Values: []string{
				fmt.Sprintf("set %.12s", was.Packages), fmt.Sprintf("set %.12s", image.Packages)}})
		}
	}
	if len(b.parts) == 0 {
		return fmt.Errorf("cannot blame: %s and %s have the same packages and settings, and %s passed on one of them; it may be a flake: virtmatrix repro", b.wasName, b.is.ID, b.red.Check)
	}
	return nil
}

// between are the values of an axis from that which passes to that which fails: of a
// component with all versions between.
func (b *blaming) between(axis string) []string {
	was, _ := b.was.Value(axis)
	is, _ := b.is.Value(axis)
	a, err := b.cat.Axis(axis)
	if err != nil || a.Component == "" {
		return []string{was, is}
	}
	var names []string
	for _, value := range a.Values {
		names = append(names, value.Name)
	}
	from, to := slices.Index(names, was), slices.Index(names, is)
	if from < 0 || to < 0 {
		return []string{was, is}
	}
	if from > to {
		slices.Reverse(names)
		from, to = len(names)-1-from, len(names)-1-to
	}
	return names[from : to+1]
}

// summary names what is blamed: "qemu 10.0 -> 11.1".
func (b *blaming) summary(blamed []blame.Blamed) string {
	var words []string
	for _, p := range blamed {
		part := b.parts[p.Part]
		words = append(words, fmt.Sprintf("%s %s -> %s", part.Name, part.Values[p.Was], part.Values[p.Now]))
	}
	return strings.Join(words, " and ")
}
