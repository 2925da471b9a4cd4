package reports

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/virtmatrix/virtmatrix/internal/journal"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// Move is what became of a check between a baseline and a candidate.
type Move string

// The moves. Broken is what failed or was blocked by what did, known or not.
const (
	// Regressed: it held before and is broken now, or is broken in another way than before.
	Regressed Move = "REGRESSED"
	// NeverPassed: it is broken, and was not asked before.
	NeverPassed Move = "NEVER PASSED"
	// StillBroken: it is broken as it was before.
	StillBroken Move = "STILL BROKEN"
	// Unanswered: one side has no answer, or the two cannot be compared.
	Unanswered Move = "NO ANSWER"
	// Mended: it was broken before, and holds.
	Mended Move = "FIXED"
	// New: it holds, and was not asked before.
	New Move = "NEW"
	// Same: it holds as before, or was asked on neither side.
	Same Move = "SAME"
)

// Moves lists all moves, the most urgent first.
var Moves = []Move{Regressed, NeverPassed, StillBroken, Unanswered, Mended, New, Same}

// Moved is what became of one check of a candidate's cell.
type Moved struct {
	Move  Move   `json:"move"`
	Check string `json:"check"`
	Cell  string `json:"cell"`
	// Baseline is the cell that it is held against; empty when there is none.
	Baseline string         `json:"baseline,omitempty"`
	Was      matrix.Verdict `json:"was,omitempty"`
	Is       matrix.Verdict `json:"is,omitempty"`
	// Why says what the verdicts do not.
	Why string `json:"why,omitempty"`
}

// Rebase is a candidate held against its baseline.
type Rebase struct {
	// Old and New name the sides: runs, or the values of a change.
	Old string `json:"old"`
	New string `json:"new"`
	// Packages are the leading packages that differ: "libvirt 9.0.0-4 -> 11.3.0-3".
	Packages []string     `json:"packages,omitempty"`
	Counts   map[Move]int `json:"counts"`
	// Moved are all but what is the same, the most urgent first.
	Moved []Moved `json:"moved,omitempty"`
	// Consumers are those who rely on what was asked of the candidates.
	Consumers []Contract `json:"consumers,omitempty"`
}

// Rebased holds the candidates of a change against their baselines in the same run. It
// is nil when the run is of no change.
func Rebased(m *Matrix) *Rebase {
	if m.Change == nil || m.Run.Shard != "" { // the other side may be in another shard
		return nil
	}
	b := rebaser{old: m, new: m, rebase: &Rebase{Old: m.Change.Axis + " " + m.Change.From, New: m.Change.Axis + " " + m.Change.To}}
	return b.compare(func(c *Cell) (string, bool) { return c.Baseline, c.Baseline != "" })
}

// Compare holds one run against an earlier one. A cell's baseline is the cell of its
// name; with a change, that which has the value of before.
func Compare(old, new *Matrix, oldName, newName string, change *matrix.Change) *Rebase {
	b := rebaser{old: old, new: new, rebase: &Rebase{Old: oldName, New: newName}}
	return b.compare(func(c *Cell) (string, bool) {
		if change == nil {
			return c.ID, true
		}
		from, to := "_"+change.Axis+"-"+change.From, "_"+change.Axis+"-"+change.To
		if !strings.Contains(c.ID+"_", to+"_") {
			return "", false
		}
		return strings.TrimSuffix(strings.Replace(c.ID+"_", to+"_", from+"_", 1), "_"), true
	})
}

type rebaser struct {
	old, new  *Matrix
	rebase    *Rebase
	contracts contracts
}

// compare holds all cells that are candidates against their baselines.
func (b rebaser) compare(baseline func(*Cell) (id string, candidate bool)) *Rebase {
	b.rebase.Counts, b.contracts = map[Move]int{}, contracts{}
	was, candidates := b.old.index(), map[string]string{}
	for i := range b.new.Cells {
		if id, ok := baseline(&b.new.Cells[i]); ok {
			candidates[b.new.Cells[i].ID] = id
			b.packages(b.old.Cell(id), &b.new.Cells[i])
		}
	}
	asked := map[question]bool{}
	for i := range b.new.Results {
		is := &b.new.Results[i]
		id, candidate := candidates[is.Cell]
		asked[question{id, is.Check}] = true
		// Another candidate's answer moved there.
		if _, elsewhere := candidates[is.AskedIn]; !candidate || elsewhere {
			continue
		}
		b.add(is.Cell, id, is.Check, was[question{id, is.Check}], is)
	}
	// What is not asked any more is no answer.
	for i := range b.new.Cells {
		id, candidate := candidates[b.new.Cells[i].ID]
		for n := range b.old.Results {
			if r := &b.old.Results[n]; candidate && r.Cell == id && !asked[question{id, r.Check}] {
				b.add(b.new.Cells[i].ID, id, r.Check, r, nil)
			}
		}
	}
	b.rebase.Consumers = b.contracts.list()
	slices.SortStableFunc(b.rebase.Moved, func(x, y Moved) int { return slices.Index(Moves, x.Move) - slices.Index(Moves, y.Move) })
	return b.rebase
}

func (b rebaser) add(cell, baseline, check string, was, is *Result) {
	m := Moved{Check: check, Cell: cell}
	if was != nil {
		m.Baseline, m.Was = baseline, was.Verdict
	}
	if is != nil {
		m.Is = is.Verdict
	}
	m.Move, m.Why = b.move(was, is)
	if is != nil {
		b.contracts.add(is.relied, m.Move)
	}
	if b.rebase.Counts[m.Move]++; m.Move != Same {
		b.rebase.Moved = append(b.rebase.Moved, m)
	}
}

// state is what a verdict says about the product.
type state int

const (
	absent state = iota
	silent
	holds
	broken
)

func (m *Matrix) state(r *Result) state {
	switch {
	case r == nil || r.Verdict == matrix.Unsupported:
		return absent
	case !m.answers(r):
		return silent
	case r.Verdict == matrix.Pass || r.Verdict == matrix.Fixed:
		return holds
	}
	return broken
}

// move is total: each pair of results has exactly one.
func (b rebaser) move(was, is *Result) (Move, string) {
	before, now := b.old.state(was), b.new.state(is)
	// What does not depend on a change is asked once for both sides.
	once := b.old == b.new && was != nil && is != nil && b.old.own(was) == b.new.own(is)
	switch {
	case before == absent && now == absent, once && now == holds:
		return Same, ""
	case once && now == broken:
		return StillBroken, is.Reason
	case now == absent:
		return Unanswered, "it is not asked any more"
	case now == silent:
		return Unanswered, is.Reason
	case before == absent && now == holds:
		return New, ""
	case before == absent:
		return NeverPassed, is.Reason
	case before == silent:
		return Unanswered, "the baseline has no answer: " + was.Reason
	}
	if why := apart(b.old.own(was).Record, b.new.own(is).Record); why != "" {
		return Unanswered, why
	}
	switch {
	case before == holds && now == holds:
		return Same, ""
	case now == holds:
		return Mended, ""
	case before == holds:
		return Regressed, is.Reason
	}
	if !b.old.own(was).SameFailure(b.new.own(is)) {
		return Regressed, "it failed before in another way; now: " + is.Reason
	}
	return StillBroken, is.Reason
}

// apart says why two answers cannot be compared, or "".
func apart(was, is *journal.Record) string {
	switch {
	case was == nil || is == nil:
		return "one side has no record"
	case was.Tier != is.Tier:
		return fmt.Sprintf("the baseline is of another tier: %s, and now %s", was.Tier, is.Tier)
	case !maps.Equal(was.Accelerators, is.Accelerators):
		return fmt.Sprintf("the baseline is of another accelerator: %s, and now %s", layers(was), layers(is))
	case was.Epoch != is.Epoch:
		return fmt.Sprintf("the baseline is of another epoch of the checks: %d, and now %d", was.Epoch, is.Epoch)
	}
	return ""
}

// layers writes the accelerators of a record: "L1 tcg, L2 kvm".
func layers(r *journal.Record) string {
	var parts []string
	for _, l := range sortedKeys(r.Accelerators) {
		parts = append(parts, oneline(l+" "+r.Accelerators[l], 80))
	}
	return strings.Join(parts, ", ")
}

// packages notes the leading packages that a cell has other than its baseline.
func (b rebaser) packages(was, is *Cell) {
	if was == nil {
		return
	}
	for _, now := range is.Stack {
		before, ok := was.planned().Choice(now.Component)
		if words := fmt.Sprintf("%s %s -> %s", now.Component, before.Package, now.Package); ok && before.Package != now.Package && !slices.Contains(b.rebase.Packages, words) {
			b.rebase.Packages = append(b.rebase.Packages, words)
		}
	}
}

// brokenBefore says whether a failure of a change's run is none of the change: it is the
// baseline's, or the baseline has it in the same words.
func (m *Matrix) brokenBefore(r *Result) bool {
	if m.Change == nil {
		return false
	}
	if c := m.Cell(r.Cell); c.Baseline != "" {
		moved := m.Rebase.of(r.Cell, r.Check)
		return moved != nil && moved.Move == StillBroken
	}
	return slices.ContainsFunc(m.Cells, func(c Cell) bool { return c.Baseline == r.Cell })
}

// Code is what a pipeline makes of the rebase: Hold when something is worse, NoAnswer
// when something cannot be told.
func (r *Rebase) Code() Code {
	switch {
	case r.Counts[Regressed]+r.Counts[NeverPassed] > 0:
		return Hold
	case r.Counts[Unanswered] > 0 || len(r.Counts) == 0:
		return NoAnswer
	}
	return Ship
}

// summary counts the moves: "2 REGRESSED, 120 SAME".
func (r *Rebase) summary() string {
	var parts []string
	for _, m := range Moves {
		if n := r.Counts[m]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, m))
		}
	}
	if len(parts) == 0 {
		return "nothing to compare"
	}
	return strings.Join(parts, ", ")
}

// head names the sides and what moved.
func (r *Rebase) head() string {
	return oneline(fmt.Sprintf("%s -> %s", r.Old, r.New), 400)
}

// of returns what became of a check of a cell; nil when it is the same or no candidate.
func (r *Rebase) of(cell, check string) *Moved {
	if r == nil {
		return nil
	}
	for i := range r.Moved {
		if m := &r.Moved[i]; m.Cell == cell && m.Check == check {
			return m
		}
	}
	return nil
}

// String says what became of it: "REGRESSED: PASS in CELL, now FAIL".
func (m *Moved) String() string {
	if m == nil {
		return ""
	}
	where := "it was not asked before"
	if m.Was != "" {
		where = fmt.Sprintf("%s in %s", m.Was, m.Baseline)
	}
	return oneline(fmt.Sprintf("%s: %s, now %s", m.Move, where, m.is()), 400)
}

func (m *Moved) is() string {
	if m.Is == "" {
		return "not asked"
	}
	return string(m.Is)
}

func (m *Moved) was() string {
	if m.Was == "" {
		return "–"
	}
	return string(m.Was)
}

// why is the beginning of the reason, in a line.
func (m *Moved) why() string {
	lines := strings.SplitN(m.Why, "\n", 4)
	return oneline(strings.Join(strings.Fields(strings.Join(lines[:min(3, len(lines))], " ")), " "), 300)
}
