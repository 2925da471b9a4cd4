package matrix

import (
	"context"
	"fmt"
	"slices"

	"github.com/virtmatrix/virtmatrix/matrix/cover"
)

func (s *pairing) least() (n int, why string) {
	return 2 * max(len(s.must), 1), fmt.Sprintf("for %s candidates of %s and their baselines", s.hostType(), s.change)
}

func (s *pairing) cells(budget int) ([]Cell, error) {
	rows, err := s.rows(budget)
	if err != nil {
		return nil, err
	}
	first, err := s.first(rows)
	if err != nil {
		return nil, err
	}
	var cells []Cell
	for i, row := range rows {
		candidate, err := s.catalog.cell(s.kind, s.tier, s.values(row))
		if err != nil {
			return nil, err
		}
		candidate.Why = s.candidateWhy(row, first[i])
		was, err := s.baseline(&candidate)
		if err != nil {
			candidate.Why = append(candidate.Why, fmt.Sprintf("no baseline with %s=%s: %v", s.change.Axis, s.change.From, err))
			cells = append(cells, candidate)
			continue
		}
		candidate.Baseline = was.ID
		cells = append(cells, candidate)
		if at := slices.IndexFunc(cells, func(c Cell) bool { return c.ID == was.ID }); at >= 0 {
			cells[at].Why = append(cells[at].Why, was.Why...)
		} else {
			cells = append(cells, was)
		}
	}
	return cells, nil
}

func (s *pairing) candidateWhy(row cover.Row, first []cover.Tuple) []string {
	why := fmt.Sprintf("candidate of %s", s.change)
	if text := newIn(first, s.strength); text != "" {
		why += ": " + text
	}
	out := []string{why}
	for _, t := range s.must {
		if includes(tupleOf(s.alone, row), t) {
			out = append(out, everyWhy(s.every, t))
		}
	}
	return out
}

// baseline returns the cell as it was before the change. The error says why there
// is none.
func (s *pairing) baseline(candidate *Cell) (Cell, error) {
	values := map[string]string{}
	why := "baseline of " + candidate.ID
	for _, choice := range candidate.Stack {
		axis := string(choice.Component)
		values[axis] = s.before(axis, choice.Version)
		if axis != s.change.Axis && values[axis] != choice.Version {
			why += fmt.Sprintf("; %s moves along from %s to %s, as %s come from one release",
				axis, choice.Version, values[axis], listed(plain(tied[s.kind])))
		}
	}
	// A pair differs in one thing only, so defaults do not follow the versions.
	for _, setting := range candidate.Settings {
		values[setting.Axis] = s.before(setting.Axis, setting.Value)
	}
	cell, err := s.catalog.cell(s.kind, s.tier, values)
	if err != nil {
		return Cell{}, err
	}
	cell.Why = []string{why}
	return cell, allowed(&cell, s.constraints)
}

// rows are those of the candidates: first as many as can have a baseline, then
// those for what only others have.
func (s *pairing) rows(budget int) ([]cover.Row, error) {
	var must []cover.Tuple
	pairs := 0
	if len(s.paired.Axes) > 0 {
		every, err := possible(s.paired, within(s.paired, s.must))
		if err != nil {
			return nil, err
		}
		rows, complete, err := s.generate(s.paired, every, budget/2)
		if err != nil {
			return nil, err
		}
		pairs = len(rows)
		if !complete || budget > 0 && budget <= 2*pairs {
			return rows, nil
		}
		for _, row := range rows {
			must = append(must, tupleOf(s.alone, row))
		}
	}
	must = append(must, without(s.must, must)...)
	if budget > 0 {
		budget -= pairs
	}
	rows, _, err := s.generate(s.alone, must, budget)
	return rows, err
}

// within returns the tuples all of whose levels a model has.
func within(m cover.Model, tuples []cover.Tuple) []cover.Tuple {
	return slices.DeleteFunc(slices.Clone(tuples), func(t cover.Tuple) bool {
		return slices.ContainsFunc(t, func(s cover.Setting) bool {
			return !slices.ContainsFunc(m.Axes, func(a cover.Axis) bool { return a.Name == s.Axis && slices.Contains(a.Levels, s.Level) })
		})
	})
}

// generate covers a model with candidates; complete is false when the budget
// left something out.
func (s *pairing) generate(m cover.Model, must []cover.Tuple, budget int) (rows []cover.Row, complete bool, err error) {
	// The changed axis has one level, so that strength-1 others are enough. Of
	// none, one row or those that must be there are.
	strength := s.strength - 1
	if strength == 0 {
		strength, budget = 1, max(1, len(must))
	}
	array, err := cover.Generate(context.Background(), m, cover.Options{
		Strength: strength, Seed: sweepSeed, Effort: sweepEffort, Must: must, Budget: budget,
	})
	return array.Rows, array.Complete || s.strength == 1, err
}

func tupleOf(m cover.Model, row cover.Row) cover.Tuple {
	var t cover.Tuple
	for i, a := range m.Axes {
		t = append(t, cover.Setting{Axis: a.Name, Level: row[i]})
	}
	return t
}

// first returns for each row the combinations with the new value that it is the
// first to have.
func (s *pairing) first(rows []cover.Row) ([][]cover.Tuple, error) {
	at := slices.IndexFunc(s.axes, func(a cover.Axis) bool { return a.Name == s.change.Axis })
	var others []cover.Row
	for _, row := range rows {
		others = append(others, slices.Delete(slices.Clone(row), at, at+1))
	}
	first, err := cover.First(s.uncounted(s.strength, s.with()).model(), s.strength-1, others)
	for _, tuples := range first {
		for i := range tuples {
			tuples[i] = slices.Concat(s.with(), tuples[i])
		}
	}
	return first, err
}

func (s *pairing) coverage(cells []Cell) (*Coverage, error) {
	return s.grid.coverage(s.strength, s.with(), cells)
}
