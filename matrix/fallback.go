package matrix

import (
	"fmt"
	"slices"
)

// wish is a cell together with the tier that its profile asks for.
type wish struct {
	cell Cell
	of   Tier
}

// name is the identity of the cell as the profile asks for it.
func (w *wish) name() string { return w.cell.identity(w.of) }

// onTier returns a cell of a profile as it can be planned: nested where it should
// have a container and there are none.
func (r *Request) onTier(cell Cell) Cell {
	if cell.Tier == Container && r.NoContainers != "" {
		cell.Tier = Nested
		cell.ID = cell.identity(cell.Tier)
	}
	return cell
}

// standIn returns a cover of a profile as it can be planned.
func (r *Request) standIn(cov Cover) Cover {
	if cov.Tier == Container && r.NoContainers != "" {
		cov.Tier, cov.Instead = Nested, Container
	}
	return cov
}

// because says why cells of a tier are planned on another, for the end of an
// error; empty if they are not.
func (r *Request) because(asked Tier) string {
	if asked != Container || r.NoContainers == "" {
		return ""
	}
	return fmt.Sprintf("; it is planned nested, because there are no containers: %s", r.NoContainers)
}

// fallback says why a cell is in the plan though another was asked for.
func (r *Request) fallback(w *wish) []string {
	if w.of == w.cell.Tier {
		return nil
	}
	return []string{fmt.Sprintf("in place of %s: %s", w.name(), r.NoContainers)}
}

// fallbacks says in a sentence what of a plan stands in for what was asked for, or
// "".
func (r *Request) fallbacks(p *Plan, wishes []wish) string {
	n, merged := 0, 0
	for _, w := range wishes {
		if w.of == w.cell.Tier || p.Cell(w.cell.ID) == nil {
			continue
		}
		n++
		if slices.ContainsFunc(wishes, func(o wish) bool { return o.cell.ID == w.cell.ID && o.of == o.cell.Tier }) {
			merged++
		}
	}
	if n == 0 {
		return ""
	}
	text := cellCount(n) + " for containers are planned nested"
	if n == 1 {
		text = "1 cell for containers is planned nested"
	}
	switch {
	case merged == n:
		text += ", with what its stack is asked there anyway"
	case merged > 0:
		text += fmt.Sprintf(", %d of them with what its stack is asked there anyway", merged)
	}
	return text + ": " + r.NoContainers
}
