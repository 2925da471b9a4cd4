package cover

import "fmt"

// Contradictions says for each wanted tuple why no valid row has it; nil for
// those that some valid row has. The empty tuple asks for any valid row.
func Contradictions(m Model, wanted []Tuple) ([]*Contradiction, error) {
	c, err := m.compile()
	if err != nil {
		return nil, fmt.Errorf("cannot search contradictions: %w", err)
	}
	sat := newSolver(c.levels, c.rules)
	satisfiable := sat.complete(c.partial(nil), nil) != nil
	out := make([]*Contradiction, len(wanted))
	for i, t := range wanted {
		lits, err := m.resolve(t)
		if err != nil {
			return nil, fmt.Errorf("cannot search contradictions: %s: %w", t, err)
		}
		if !satisfiable || !sat.possible(c.partial(lits)) {
			out[i] = c.contradiction(lits)
		}
	}
	return out, nil
}
