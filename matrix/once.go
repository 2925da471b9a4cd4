package matrix

import (
	"cmp"
	"slices"
	"strings"
)

// question identifies what a check asks of a cell: two cells with the same one have
// the same answer. It is the check, the kind, and of each axis that the answer
// depends on the value and what realises it.
func (c *Cell) question(p *PlannedCheck) string {
	if p.Depends == nil {
		return p.ID + " " + c.ID
	}
	words := append([]string{p.ID, string(c.Kind), p.Against}, p.Hosts.Of...)
	if p.Hosts.above() {
		words = append(words, "above "+c.Userland)
	}
	for _, axis := range p.Depends {
		value, ok := c.Value(axis)
		if axis == CompositionAxis {
			value, ok = string(c.Composition), true
		}
		if !ok {
			continue
		}
		words = append(words, axis+"="+value)
		if choice, ok := c.Choice(Component(axis)); ok {
			// Of a candidate's release, all but its component is the release's below.
			words = append(words, Below(choice.Release), choice.Package)
		}
		if !p.Hosts.None && c.isL0s(axis) {
			words = append(words, "of L0")
		}
	}
	if !p.Hosts.None {
		words = append(words, c.medium())
	}
	return strings.Join(words, " ")
}

// MediaAxis is the setting of what a machine boots from.
const MediaAxis = "media"

// medium is what the cell's host came from, empty for the usual way: whether a host from
// a medium answers as any other is what such a cell is there to tell, whatever a check
// depends on.
func (c *Cell) medium() string {
	for _, s := range c.Settings {
		if s.Axis == MediaAxis && !s.Default {
			return MediaAxis + "=" + s.Value
		}
	}
	return ""
}

// realisedByL0 are the axes that a container does not realise by itself: L0's
// kernel runs the host, and L0's accelerator its guests.
var realisedByL0 = []string{string(Linux), "accel"}

// isL0s says that the cell has nothing of an axis by itself.
func (c *Cell) isL0s(axis string) bool {
	return c.Tier == Container && slices.Contains(realisedByL0, axis)
}

// asker gives each question of a plan to one cell.
type asker struct {
	plan *Plan
	// order has the questions that are not about a boot alone, in the plan's order,
	// and cells the cells that can answer each.
	order []string
	cells map[string][]int
	// hostless are the questions that need no host.
	hostless map[string]bool
	// answers is the cell that answers a question.
	answers map[string]int
	// boots are the cells that have a host.
	boots []bool
}

// askOnce has each question asked in one cell, and tells the others which that is.
// A question goes to a cell that has a host anyway, if there is one, and otherwise
// to the first that can answer: the plan has containers first.
//
// The boot check of a cell is asked wherever there is a host. Cells without one keep
// it if it is among what they are wanted to answer.
func (p *Plan) askOnce(want map[string][]string) {
	a := &asker{plan: p, hostless: map[string]bool{}, answers: map[string]int{}, boots: make([]bool, len(p.Cells))}
	a.collect()
	// Those that few cells can answer decide which cells have a host.
	slices.SortStableFunc(a.order, func(q, r string) int { return cmp.Compare(len(a.cells[q]), len(a.cells[r])) })
	for _, q := range a.order {
		a.give(q, a.cells[q])
	}
	a.dropBoots(want)
	a.collect()
	a.giveBoots()
	a.tell()
}

// each calls f for each check that applies to a cell of the plan.
func (a *asker) each(f func(cell int, check *PlannedCheck, question string)) {
	for i := range a.plan.Cells {
		cell := &a.plan.Cells[i]
		for j := range cell.Checks {
			if check := &cell.Checks[j]; check.Unsupported == "" {
				f(i, check, cell.question(check))
			}
		}
	}
}

func (a *asker) collect() {
	a.order, a.cells = nil, map[string][]int{}
	seen := map[string]bool{}
	a.each(func(cell int, check *PlannedCheck, q string) {
		if !check.Boot && !seen[q] {
			a.order, seen[q] = append(a.order, q), true
			a.hostless[q] = check.Hosts.None
		}
		a.cells[q] = append(a.cells[q], cell)
	})
}

func (a *asker) give(q string, cells []int) {
	cell := cells[0]
	if i := slices.IndexFunc(cells, func(i int) bool { return a.boots[i] }); i >= 0 {
		cell = cells[i]
	}
	a.answers[q] = cell
	a.boots[cell] = a.boots[cell] || !a.hostless[q]
}

// dropBoots takes the boot checks that only came along from cells without a host.
func (a *asker) dropBoots(want map[string][]string) {
	for i := range a.plan.Cells {
		cell := &a.plan.Cells[i]
		cell.Checks = slices.DeleteFunc(cell.Checks, func(p PlannedCheck) bool {
			return p.Boot && !a.boots[i] && !slices.Contains(want[cell.ID], p.ID)
		})
	}
}

// giveBoots has the boot of a host answered where there is one, and for cells without
// where another cell's says as much.
func (a *asker) giveBoots() {
	a.each(func(_ int, check *PlannedCheck, q string) {
		if _, answered := a.answers[q]; check.Boot && !answered {
			a.give(q, a.cells[q])
		}
	})
}

func (a *asker) tell() {
	a.each(func(cell int, check *PlannedCheck, q string) {
		if answer := a.answers[q]; answer != cell && !(check.Boot && a.boots[cell]) {
			check.AskedIn = a.plan.Cells[answer].ID
		}
	})
}

// Asked says whether the cell itself is asked: the check applies, and no other cell
// answers for it.
func (p *PlannedCheck) Asked() bool { return p.Unsupported == "" && p.AskedIn == "" }

// Unit names what one process works through in order, on hosts that nobody else has: a
// family of the cell, or the check alone when it has hosts of its own anyway.
func (p *PlannedCheck) Unit() string {
	if p.Isolation == IsolateCheck && !p.Hosts.None {
		return p.Family + "/" + p.ID
	}
	return p.Family
}

// Units counts what can be at work side by side.
func (p *Plan) Units() int {
	seen := map[[2]string]bool{}
	for i := range p.Cells {
		cell := &p.Cells[i]
		for j := range cell.Checks {
			if check := &cell.Checks[j]; check.Asked() {
				seen[[2]string{cell.ID, check.Unit()}] = true
			}
		}
	}
	return len(seen)
}

// Asked counts the checks that the cell itself is asked. A cell that is asked none
// has no host.
func (c *Cell) Asked() int {
	n := 0
	for i := range c.Checks {
		if c.Checks[i].Asked() {
			n++
		}
	}
	return n
}
