package matrix

import "slices"

// ranks are what cells of a plan come in the order of: containers before machines;
// within a tier the candidates of a change, then their baselines, then what did not
// change.
func (p *Plan) ranks() map[string]int {
	baselines := map[string]bool{}
	for i := range p.Cells {
		baselines[p.Cells[i].Baseline] = true
	}
	ranks := map[string]int{}
	for i := range p.Cells {
		cell := &p.Cells[i]
		rank := 3 * slices.Index(Tiers(), cell.Tier)
		switch {
		case p.Change != nil && cell.changed(*p.Change):
		case baselines[cell.ID]:
			rank++
		default:
			rank += 2
		}
		ranks[cell.ID] = rank
	}
	return ranks
}

// changed says whether the cell has the new value of a change.
func (c *Cell) changed(to Change) bool {
	value, _ := c.Value(to.Axis)
	return value == to.To
}

// arrange puts the cells into the order in which they run: the cheapest and most
// telling first, and otherwise as they are.
func (p *Plan) arrange() {
	ranks := p.ranks()
	slices.SortStableFunc(p.Cells, func(a, b Cell) int { return ranks[a.ID] - ranks[b.ID] })
}

// Order lists the plan's cells in the order in which they run best: as planned,
// but of those that come at the same time first the ones whose host is quick to
// have.
func (p *Plan) Order(quick func(*Cell) bool) []string {
	ranks := p.ranks()
	slow := map[string]int{}
	for i := range p.Cells {
		if !quick(&p.Cells[i]) {
			slow[p.Cells[i].ID] = 1
		}
	}
	ids := namesOf(p.Cells, cellID)
	slices.SortStableFunc(ids, func(a, b string) int {
		if d := ranks[a] - ranks[b]; d != 0 {
			return d
		}
		return slow[a] - slow[b]
	})
	return ids
}
