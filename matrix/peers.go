package matrix

import (
	"fmt"
	"strings"
)

// pairUp gives each check that works between two stacks the cell whose stack its second
// host has: the one that this cell is before a rebase of the components that the check
// names. Where the plan has no such cell, the check says what is missing.
func (c *Catalog) pairUp(p *Plan) {
	for i := range p.Cells {
		cell := &p.Cells[i]
		for j := range cell.Checks {
			if check := &cell.Checks[j]; len(check.Hosts.Earlier) > 0 && check.Unsupported == "" {
				id, why := c.peer(p, cell, check.Hosts)
				if check.Unsupported = why; why == "" {
					check.Hosts.Of = []string{id}
				}
			}
		}
	}
}

// peer finds the other stack of a check between two, or says why there is none.
func (c *Catalog) peer(p *Plan, cell *Cell, hosts Hosts) (id, why string) {
	if hosts.Moves == "" {
		return c.earlier(p, cell, hosts.Earlier)
	}
	if id = cell.Baseline; id == "" || p.Cell(id) == nil {
		if id, why = c.earlier(p, cell, hosts.Earlier); why != "" {
			return "", why
		}
	}
	for _, one := range []*Cell{cell, p.Cell(id)} {
		if q, ok := one.Choice(QEMU); ok && Below(q.Release) != Below(one.Userland) || one.Twin() {
			return "", fmt.Sprintf("packages move in a root, and the emulator of %s is beside its root", one.ID)
		}
	}
	return id, ""
}

// earlier finds the cell with the version before this one's of each component, or says
// why there is none.
func (c *Catalog) earlier(p *Plan, cell *Cell, components []Component) (id, why string) {
	moved, words := map[Component]string{}, []string{}
	for _, comp := range components {
		has, _ := cell.Choice(comp)
		if moved[comp] = c.before(comp, has); moved[comp] == "" {
			return "", fmt.Sprintf("needs a stack with an earlier %s, and %s is the first one", comp, has.Version)
		}
		words = append(words, fmt.Sprintf("%s %s", comp, moved[comp]))
	}
	for i := range p.Cells {
		if other := &p.Cells[i]; cell.neighbours(other, moved) {
			return other.ID, ""
		}
	}
	return "", fmt.Sprintf("needs the cell that is this one with %s, and the plan has none", strings.Join(words, " and "))
}

// before is the newest version of a component that is older than a cell's; empty for
// the first.
func (c *Catalog) before(comp Component, has Choice) (name string) {
	a, err := c.Axis(string(comp))
	if err != nil {
		return ""
	}
	newest := ""
	for _, v := range a.Values {
		if s := v.series(); Compare(s, has.Upstream()) < 0 && Compare(s, newest) > 0 {
			name, newest = v.Name, s
		}
	}
	return name
}

// neighbours says whether another cell is this one but for the components that moved
// to these versions, and for what a container has of neither: it is L0's.
func (c *Cell) neighbours(other *Cell, moved map[Component]string) bool {
	if c.Kind != other.Kind || c.Tier != other.Tier {
		return false
	}
	for _, choice := range c.Stack {
		want, isMoved := moved[choice.Component]
		if !isMoved {
			want = choice.Version
		}
		has, _ := other.Choice(choice.Component)
		if has.Version != want && (isMoved || !c.isL0s(string(choice.Component))) {
			return false
		}
	}
	for i, s := range c.Settings {
		// A default may go by a version that moved.
		o := other.Settings[i]
		if s.Value != o.Value && !(s.Default && o.Default) {
			return false
		}
	}
	return true
}
