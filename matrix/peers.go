package matrix

import (
	"fmt"
	"slices"
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
		return c.earlier(p, cell, hosts)
	}
	if hosts.Over == 0 {
		if id = cell.Baseline; id == "" || p.Cell(id) == nil {
			id = c.builtBefore(p, cell, hosts.Earlier)
		}
	}
	if id == "" {
		if id, why = c.earlier(p, cell, hosts); why != "" {
			return "", why
		}
	}
	other := p.Cell(id)
	for _, one := range []*Cell{cell, other} {
		if q, ok := one.Choice(QEMU); ok && Below(q.Release) != Below(one.Userland) || one.Twin() {
			return "", fmt.Sprintf("packages move in a root, and the emulator of %s is beside its root", one.ID)
		}
	}
	if !c.alikeServed(cell, other) {
		return "", fmt.Sprintf("packages move in a root by its own package manager, and %s has another kind of them", other.ID)
	}
	return id, ""
}

// builtBefore finds the cell with the same versions of each component, in the build of a
// release that this cell's lies over; empty for none.
func (c *Catalog) builtBefore(p *Plan, cell *Cell, components []Component) (id string) {
	below, err := c.Lineage(cell.Userland)
	if err != nil {
		return ""
	}
	same := map[Component]string{}
	for _, comp := range components {
		has, _ := cell.Choice(comp)
		same[comp] = has.Upstream()
	}
	for i := range p.Cells {
		other := &p.Cells[i]
		if cell.neighbours(other, same) && slices.ContainsFunc(below, func(r *Release) bool { return r.Name == other.Userland && r.Name != cell.Userland }) {
			return other.ID
		}
	}
	return ""
}

// alikeServed says that the roots of two cells have packages of one kind.
func (c *Catalog) alikeServed(a, b *Cell) bool {
	one, err := c.Release(a.Userland)
	other, wrong := c.Release(b.Userland)
	return err == nil && wrong == nil && one.Source == other.Source
}

// earlier finds the cell with the version before this one's of each component, or says
// why there is none. Of several builds of a version it prefers one of the cell's own kind
// of packages.
func (c *Catalog) earlier(p *Plan, cell *Cell, hosts Hosts) (id, why string) {
	moved, words := map[Component]string{}, []string{}
	for _, comp := range hosts.Earlier {
		has, _ := cell.Choice(comp)
		series := has.Upstream()
		for range hosts.Over + 1 {
			if series = c.before(comp, series); series == "" {
				return "", lacksEarlier(comp, has.Version, hosts.Over)
			}
		}
		moved[comp] = series
		words = append(words, fmt.Sprintf("%s %s", comp, series))
	}
	for i := range p.Cells {
		other := &p.Cells[i]
		if !cell.neighbours(other, moved) {
			continue
		}
		if c.alikeServed(cell, other) {
			return other.ID, ""
		}
		id = other.ID
	}
	if id != "" {
		return id, ""
	}
	return "", fmt.Sprintf("needs the cell that is this one with %s, and the plan has none", strings.Join(words, " and "))
}

func lacksEarlier(comp Component, version string, over int) string {
	if over == 0 {
		return fmt.Sprintf("needs a stack with an earlier %s, and %s is the first one", comp, version)
	}
	return fmt.Sprintf("needs a stack whose %s is %d versions before %s, and there is none", comp, over+1, version)
}

// before is the newest series of a component that is older than another; empty for the
// first.
func (c *Catalog) before(comp Component, than string) (newest string) {
	a, err := c.Axis(string(comp))
	if err != nil {
		return ""
	}
	for _, v := range a.Values {
		if s := v.series(); Compare(s, than) < 0 && Compare(s, newest) > 0 {
			newest = s
		}
	}
	return newest
}

// neighbours says whether another cell is this one but for the components that moved
// to these series, and for what a container has of neither: it is L0's.
func (c *Cell) neighbours(other *Cell, moved map[Component]string) bool {
	if c.Kind != other.Kind || c.Tier != other.Tier {
		return false
	}
	for _, choice := range c.Stack {
		has, _ := other.Choice(choice.Component)
		series, isMoved := moved[choice.Component]
		if isMoved && has.Upstream() != series || !isMoved && has.Version != choice.Version && !c.isL0s(string(choice.Component)) {
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
