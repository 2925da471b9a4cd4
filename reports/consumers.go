package reports

import (
	"fmt"
	"slices"
	"strings"

	"github.com/virtmatrix/virtmatrix/matrix"
)

// Contract is what became of what a consumer relies on, between a baseline and a candidate.
type Contract struct {
	Consumer string `json:"consumer"`
	// Rows are what it relies on and was asked of the candidate. Of them, Broke are broken
	// now and not before, or were not asked before, and Before were broken already.
	Rows   []string `json:"rows"`
	Broke  []string `json:"broke,omitempty"`
	Before []string `json:"before,omitempty"`
}

// words tells of the contract in the consumer's own: "1 of 20 rows broke: save to a file".
func (c *Contract) words() string {
	text := "none of " + number(len(c.Rows), "row") + " broke"
	if len(c.Broke) > 0 {
		text = fmt.Sprintf("%d of %s broke: %s", len(c.Broke), number(len(c.Rows), "row"), strings.Join(c.Broke, "; "))
	}
	if len(c.Before) > 0 {
		text += fmt.Sprintf("; %d did not hold before: %s", len(c.Before), strings.Join(c.Before, "; "))
	}
	return text
}

// contracts are the contracts of consumers by their names.
type contracts map[string]*Contract

// add notes what became of a check that some rely on. What has no answer is no word about
// a contract.
func (all contracts) add(relied []matrix.Reliance, move Move) {
	if move == Unanswered {
		return
	}
	for _, r := range relied {
		c := all[r.Consumer]
		if c == nil {
			c = &Contract{Consumer: r.Consumer}
			all[r.Consumer] = c
		}
		note(&c.Rows, r.On)
		switch move {
		case Regressed, NeverPassed:
			note(&c.Broke, r.On)
		case StillBroken:
			note(&c.Before, r.On)
		}
	}
}

func note(rows *[]string, row string) {
	if !slices.Contains(*rows, row) {
		*rows = append(*rows, row)
	}
}

// list puts those first of whose contract most broke. What broke in one cell and was
// broken before in another broke.
func (all contracts) list() (list []Contract) {
	for _, name := range sortedKeys(all) {
		c := all[name]
		c.Before = slices.DeleteFunc(c.Before, func(row string) bool { return slices.Contains(c.Broke, row) })
		list = append(list, *c)
	}
	slices.SortStableFunc(list, func(a, b Contract) int { return len(b.Broke) - len(a.Broke) })
	return list
}

// relied is who relies on what the checks of a problem assert, each once.
func (p *problem) relied() (all []matrix.Reliance) {
	for _, r := range p.results {
		for _, on := range r.relied {
			if !slices.Contains(all, on) {
				all = append(all, on)
			}
		}
	}
	return all
}

// consumers tells who relies on what failed, and on what in it: "vdsm (blockInfo)".
func (f *Finding) consumers() string {
	var names []string
	rows := map[string][]string{}
	for _, r := range f.Relied {
		note(&names, r.Consumer)
		rows[r.Consumer] = append(rows[r.Consumer], r.On)
	}
	for i, name := range names {
		on := rows[name]
		if n := len(on) - 3; n > 0 {
			on = append(on[:3:3], fmt.Sprintf("and %d more", n))
		}
		names[i] = fmt.Sprintf("%s (%s)", name, strings.Join(on, "; "))
	}
	return oneline(strings.Join(names, ", "), shownText)
}
