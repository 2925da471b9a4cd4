package main

import (
	"slices"
	"strings"

	"github.com/virtmatrix/virtmatrix/matrix"
)

// summariseChecks counts the checks of each family by the cheapest host that they can be
// asked on, and what became of those that are to be.
func summariseChecks(cat *matrix.Catalog, checks []matrix.Check, row table) error {
	count := func(of func(*matrix.Check) bool) (n int) {
		for i := range checks {
			if of(&checks[i]) {
				n++
			}
		}
		return n
	}
	counted := func(name string, in func(*matrix.Check) bool) {
		place := func(want string) int {
			return count(func(c *matrix.Check) bool { return in(c) && cheapest(c) == want })
		}
		row(name, count(in), place("none"), place("container"), place("machine"), count(func(c *matrix.Check) bool { return in(c) && c.Draft }))
	}
	row("family", "checks", "no host", "container", "machine", "drafts")
	for _, family := range matrix.Families(checks) {
		counted(family, func(c *matrix.Check) bool { return c.Family == family })
	}
	counted("all", func(*matrix.Check) bool { return true })
	row()
	return summariseListed(cat, row)
}

// cheapest is the host that a check takes at least.
func cheapest(c *matrix.Check) string {
	switch {
	case c.Hosts.None:
		return "none"
	case slices.Contains(c.Tiers(), matrix.Container):
		return "container"
	}
	return "machine"
}

// areas are what the first part of an ID says.
var areas = []struct{ prefix, name string }{
	{"O-", "OUTBOUND"}, {"IK-", "INBOUND kernel"}, {"IQ-", "INBOUND qemu"}, {"IX-", "INBOUND xen"},
}

func summariseListed(cat *matrix.Catalog, row table) error {
	listed, err := matrix.ListedChecks()
	if err != nil {
		return err
	}
	row("to be", "listed", matrix.There, matrix.Answered, matrix.Reasoned, matrix.Lacking)
	for _, a := range areas {
		n, all := map[matrix.State]int{}, 0
		for _, l := range listed {
			if strings.HasPrefix(l.ID, a.prefix) {
				n[cat.State(l)]++
				all++
			}
		}
		row(a.name, all, n[matrix.There], n[matrix.Answered], n[matrix.Reasoned], n[matrix.Lacking])
	}
	row()
	for _, l := range listed {
		switch state := cat.State(l); state {
		case matrix.There:
		case matrix.Answered:
			row(l.ID, strings.Join(l.By, ", "), l.Remark)
		default:
			row(l.ID, state, l.Remark)
		}
	}
	return nil
}
