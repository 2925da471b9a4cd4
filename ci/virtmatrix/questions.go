package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/virtmatrix/virtmatrix/matrix"
)

// counts are the checks of cells by what the plan does with them.
type counts struct{ asked, elsewhere, not int }

func countChecks(cells ...matrix.Cell) (c counts) {
	for i := range cells {
		for _, check := range cells[i].Checks {
			switch {
			case check.Unsupported != "":
				c.not++
			case check.AskedIn != "":
				c.elsewhere++
			default:
				c.asked++
			}
		}
	}
	return c
}

// String returns "12 checks, 4 answered by other cells, 3 not applicable".
func (c counts) String() string {
	text := number(c.asked, "check")
	if c.elsewhere > 0 {
		text += fmt.Sprintf(", %d answered by other cells", c.elsewhere)
	}
	return text + fmt.Sprintf(", %d not applicable", c.not)
}

// sharing is how a check is asked once for several cells.
type sharing struct {
	matrix.PlannedCheck
	asked, cells int
}

// sharings are the checks of a plan that some cells answer for others.
func sharings(p *matrix.Plan) []*sharing {
	var all []*sharing
	for i := range p.Cells {
		for _, check := range p.Cells[i].Checks {
			if check.Unsupported != "" {
				continue
			}
			at := slices.IndexFunc(all, func(s *sharing) bool { return s.ID == check.ID })
			if at < 0 {
				at, all = len(all), append(all, &sharing{PlannedCheck: check})
			}
			all[at].cells++
			if check.Asked() {
				all[at].asked++
			}
		}
	}
	return slices.DeleteFunc(all, func(s *sharing) bool { return s.asked == s.cells })
}

// showOnce tells which checks are asked once for several cells, and why.
func showOnce(w io.Writer, p *matrix.Plan) error {
	shared := sharings(p)
	if len(shared) == 0 {
		return nil
	}
	c, hosts := countChecks(p.Cells...), 0
	for i := range p.Cells {
		if p.Cells[i].Asked() > 0 {
			hosts++
		}
	}
	fmt.Fprintf(w, "asked once: %d of %s need not be asked, because another cell has everything that the answer depends on; %d of %s have a host; -everywhere asks all\n",
		c.elsewhere, number(c.asked+c.elsewhere, "check"), hosts, number(len(p.Cells), "cell"))
	if p.Change != nil {
		fmt.Fprintf(w, "    what does not depend on %s is asked once of a candidate and its baseline\n", p.Change.Axis)
	}
	return aligned(w, func(row table) error {
		for _, s := range shared {
			row("    "+s.ID, fmt.Sprintf("asked in %d of %s", s.asked, number(s.cells, "cell")), "depends on "+strings.Join(s.Depends, ", "))
		}
		return nil
	})
}

type reason struct {
	text  string
	count int
}

// reasons counts why checks do not apply to a cell, in the plan's order.
func reasons(c *matrix.Cell) []reason {
	var out []reason
	at := map[string]int{}
	for _, check := range c.Checks {
		if check.Unsupported == "" {
			continue
		}
		i, ok := at[check.Unsupported]
		if !ok {
			i = len(out)
			at[check.Unsupported] = i
			out = append(out, reason{text: check.Unsupported})
		}
		out[i].count++
	}
	return out
}
