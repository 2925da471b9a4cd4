package matrix

import (
	"slices"
	"strings"
)

// RefusedCheck is the one that answers for packages that the solver refuses.
const RefusedCheck = "D-CLOSE"

// Candidate is the component of which the cell has a candidate; empty for none.
func (c *Cell) Candidate() Component {
	for _, choice := range c.Stack {
		if strings.HasSuffix(choice.Version, candidateSuffix) {
			return choice.Component
		}
	}
	return ""
}

// delivers says whether the check asks how packages are delivered.
func (c *Check) delivers() bool { return slices.Contains(c.Requires, Delivered) }

// OfDelivery says so of a planned check: it needs no host, as those have that ask what
// a host came from.
func (p *PlannedCheck) OfDelivery() bool { return p.Layer() == LayerDelivery && p.Hosts.None }

// OfImages says that a planned check compares what images hold, and no guest and no
// load on the machine decides its answer.
func (p *PlannedCheck) OfImages() bool {
	return strings.HasPrefix(p.Family, "static/") && p.Layer() != LayerDelivery
}

// wants says whether a cell has a candidate, and whether its release publishes what the
// check asks for. What lies in a folder of somebody's is not published yet.
func (c *Catalog) wants(check *Check, cell *Cell) bool {
	choice, ok := cell.Choice(cell.Candidate())
	if !ok {
		return false
	}
	lineage, err := c.Lineage(choice.Release)
	if err != nil || lineage[0].Candidate == nil {
		return false
	}
	var published Publishes
	for _, r := range lineage {
		published.Add(r.Publishes)
	}
	served := lineage[0].Candidate.Published
	for requirement, met := range map[Requirement]bool{
		RepositoryFiles: len(published.RepositoryFiles) > 0,
		Debuginfo:       len(published.Debuginfo) > 0 && served,
		Sources:         len(published.Sources) > 0 && served,
	} {
		if slices.Contains(check.Requires, requirement) && !met {
			return false
		}
	}
	return true
}

// withDelivery adds the checks of a delivery to those of a profile, and leaves them out
// where nothing is delivered: they are no question there.
func (c *Catalog) withDelivery(ids []string, cell *Cell) []string {
	var out []string
	for _, id := range c.CheckIDs() {
		check, err := c.Check(id)
		delivers := err == nil && check.delivers()
		if delivers && c.wants(check, cell) || !delivers && slices.Contains(ids, id) {
			out = append(out, id)
		}
	}
	return out
}

// AskRefused has each cell whose packages the solver refuses say so, whatever else it is
// asked.
func (c *Catalog) AskRefused(p *Plan) {
	check, err := c.Check(RefusedCheck)
	if err != nil {
		return // a catalogue without delivery: what needs the packages is blocked all the same
	}
	for i := range p.Cells {
		cell := &p.Cells[i]
		if cell.Refused == "" {
			continue
		}
		at := slices.IndexFunc(cell.Checks, func(p PlannedCheck) bool { return p.ID == RefusedCheck })
		if at < 0 {
			cell.Checks, at = append(cell.Checks, check.plan(cell)), len(cell.Checks)
		}
		cell.Checks[at].AskedIn = ""
	}
}
