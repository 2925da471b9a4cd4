package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/virtmatrix/virtmatrix/matrix"
)

// showCandidate prints what a plan's candidate is, and which packages of its cells differ
// from the release: each list once, with the cells that have it.
func showCandidate(w io.Writer, p *matrix.Plan) {
	c := p.Candidate
	if c == nil {
		return
	}
	fmt.Fprintf(w, "candidate: %s, %s of %s over %s\n", c.Where, number(len(c.Packages), "package"), c.Component, c.Over)
	fmt.Fprintf(w, "    %s\n", c.Trust)
	if len(c.Unused) > 0 {
		fmt.Fprintf(w, "    no host has these of them: %s\n", strings.Join(c.Unused, ", "))
	}
	var order []string
	cells := map[string][]string{}
	for i := range p.Cells {
		cell := &p.Cells[i]
		if cell.Refused != "" {
			fmt.Fprintf(w, "    %s cannot be installed: %s\n", cell.ID, strings.ReplaceAll(cell.Refused, "\n", "\n        "))
		}
		was := p.Cell(cell.Baseline)
		if was == nil || cell.Refused != "" || was.Refused != "" {
			continue
		}
		var lines []string
		for _, d := range matrix.Differing(p.PackageSets, was.Images, cell.Images) {
			lines = append(lines, "        "+d.String()+"\n")
		}
		text := strings.Join(lines, "")
		if cells[text] == nil {
			order = append(order, text)
		}
		cells[text] = append(cells[text], cell.ID)
	}
	for _, text := range order {
		fmt.Fprintf(w, "    %s differ from the release in %s:\n%s", strings.Join(cells[text], ", "), number(strings.Count(text, "\n"), "package"), text)
	}
}
