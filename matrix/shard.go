package matrix

import (
	"cmp"
	"fmt"
	"slices"
)

// Shard is a part of a plan: whole cells, which one of several machines runs.
type Shard struct {
	// Plan is the hash of the plan that was cut.
	Plan string `json:"plan"`
	// Number counts from 1 to Count.
	Number int `json:"number"`
	Count  int `json:"count"`
}

// String writes the shard as it is asked for: "3/8".
func (s Shard) String() string { return fmt.Sprintf("%d/%d", s.Number, s.Count) }

// ParseShard reads "3/8".
func ParseShard(text string) (s Shard, err error) {
	var rest string
	if n, _ := fmt.Sscanf(text, "%d/%d%s", &s.Number, &s.Count, &rest); n != 2 || s.Number < 1 || s.Number > s.Count {
		return s, fmt.Errorf("cannot read shard %q: want NUMBER/COUNT, from 1/COUNT to COUNT/COUNT, such as 3/8", text)
	}
	return s, nil
}

// Cut returns a shard of a sealed plan: a plan of its own, sealed, whose cells answer
// themselves all that the whole plan asks of them. Each cell is in one shard. The dearest
// cells are dealt first, each to the shard that costs least so far.
func (c *Catalog) Cut(whole *Plan, s Shard) (*Plan, error) {
	costs := make([]float64, len(whole.Cells))
	order := make([]int, len(whole.Cells))
	for i := range whole.Cells {
		e := c.estimate(&whole.Cells[i])
		costs[i], order[i] = (e.Checks + e.Hosts).Seconds(), i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(costs[b], costs[a]) })
	load, mine := make([]float64, s.Count), make([]bool, len(costs))
	for _, i := range order {
		least := slices.Index(load, slices.Min(load))
		load[least] += costs[i]
		mine[i] = least == s.Number-1
	}
	s.Plan = whole.Hash
	part := *whole
	part.Shard, part.Cells, part.Coverage = &s, nil, nil // what is covered is the whole plan's
	for i, cell := range whole.Cells {
		if mine[i] {
			part.Cells = append(part.Cells, cell)
		}
	}
	for i := range part.Cells {
		cell := &part.Cells[i]
		cell.Checks = slices.DeleteFunc(slices.Clone(cell.Checks), func(p PlannedCheck) bool { return p.AskedIn != "" && part.Cell(p.AskedIn) == nil })
	}
	part.KeepOthers(whole)
	return &part, part.Seal()
}

// KeepOthers adds what of another plan the checks work on besides their own cells, and the
// baselines. Those cells are asked nothing.
func (p *Plan) KeepOthers(of *Plan) {
	var wanted []string
	for _, cell := range p.Cells {
		wanted = append(wanted, cell.Baseline)
		for _, check := range cell.Checks {
			wanted = append(wanted, check.Others()...)
		}
	}
	for _, id := range wanted {
		if other := of.Cell(id); other != nil && p.Cell(id) == nil {
			alone := *other
			alone.Checks = nil
			p.Cells = append(p.Cells, alone)
		}
	}
}
