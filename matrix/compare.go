package matrix

import (
	"fmt"
	"slices"
)

// older returns the version of a component that a cell's is compared with: in a plan
// of a change that of its baseline, and otherwise the one before it among the cells of
// its kind. It is empty for the oldest.
func older(cells []Cell, cell *Cell, comp Component) (version string) {
	now, _ := cell.Choice(comp)
	series := ""
	for i := range cells {
		was, ok := cells[i].Choice(comp)
		switch {
		case !ok || cells[i].Kind != cell.Kind:
		case cells[i].ID == cell.Baseline && was.Version != now.Version:
			return was.Version
		case Compare(was.Upstream(), now.Upstream()) < 0 && (version == "" || Compare(was.Upstream(), series) > 0):
			version, series = was.Version, was.Upstream()
		}
	}
	return version
}

// against fills in which of the cells has the older version that a check compares a
// cell's with: the first, so that all who ask have the same.
func (p *PlannedCheck) against(cells []Cell, cell *Cell, comp Component) {
	if comp == "" || p.Unsupported != "" {
		return
	}
	was := older(cells, cell, comp)
	i := slices.IndexFunc(cells, func(c Cell) bool {
		version, ok := c.Value(string(comp))
		return ok && c.Kind == cell.Kind && version == was
	})
	if i < 0 {
		p.Unsupported = fmt.Sprintf("the plan has no %s that is older: there is none to compare it with", comp)
		return
	}
	p.Against = cells[i].ID
}

// addHosts fills in the cells of a check's further hosts.
func (p *PlannedCheck) addHosts(cells []Cell, cell *Cell) {
	if p.Hosts.Each == "" || p.Unsupported != "" {
		return
	}
	own, _ := cell.Value(string(p.Hosts.Each))
	seen := map[string]bool{own: true}
	for i := range cells {
		version, ok := cells[i].Value(string(p.Hosts.Each))
		if !ok || seen[version] || cells[i].Kind != cell.Kind || cells[i].Tier != cell.Tier {
			continue
		}
		seen[version] = true
		p.Hosts.Of = append(p.Hosts.Of, cells[i].ID)
	}
	p.Hosts.Count = 1 + len(p.Hosts.Of)
	if len(p.Hosts.Of) == 0 {
		p.Unsupported = fmt.Sprintf("the plan has no other %s on this tier", p.Hosts.Each)
	}
}
