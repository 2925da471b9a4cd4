package matrix

import (
	"slices"
	"time"
)

// What hosts cost beside the checks on them, in seconds: a container starts, a machine
// is restored for each family, and boots once in each cell, emulated, to be saved.
const (
	containerSeconds = 3
	restoredSeconds  = 4
	coldSeconds      = 60
)

// Estimate is what a plan costs if one host runs at a time, without building images.
type Estimate struct {
	Checks, Hosts time.Duration
	// Families are the hosts that could run side by side. Unmeasured checks have no
	// measure on their tier, and count what others there do in the median.
	Families, Unmeasured int
}

// Estimate adds up what the checks of a plan were measured to cost, and their hosts.
func (c *Catalog) Estimate(p *Plan) (all Estimate) {
	for i := range p.Cells {
		e := c.estimate(&p.Cells[i])
		all.Checks, all.Hosts = all.Checks+e.Checks, all.Hosts+e.Hosts
		all.Families, all.Unmeasured = all.Families+e.Families, all.Unmeasured+e.Unmeasured
	}
	return all
}

// estimate is what a cell costs.
func (c *Catalog) estimate(cell *Cell) (e Estimate) {
	checks, families := 0.0, map[string]bool{}
	for _, planned := range cell.Checks {
		if !planned.Asked() {
			continue
		}
		if !planned.Hosts.None {
			families[planned.Unit()] = true
		}
		check, err := c.Check(planned.ID)
		seconds, ok := 0.0, false
		if err == nil {
			seconds, ok = check.Seconds[planned.Tier]
		}
		if !ok {
			seconds = c.median(planned.Tier)
			e.Unmeasured++
		}
		checks += seconds
	}
	e.Families = len(families)
	e.Checks, e.Hosts = time.Duration(checks*float64(time.Second)), time.Duration(HostSeconds(cell.Tier, len(families)))*time.Second
	return e
}

// unmeasured is what a check costs on a tier of which no check has a measure, in seconds.
var unmeasured = map[Tier]float64{Container: 5, Nested: 20}

// median is what checks cost on a tier, in seconds.
func (c *Catalog) median(t Tier) float64 {
	var measured []float64
	for i := range c.Checks {
		if seconds, ok := c.Checks[i].Seconds[t]; ok {
			measured = append(measured, seconds)
		}
	}
	if len(measured) == 0 {
		return unmeasured[t]
	}
	slices.Sort(measured)
	return measured[len(measured)/2]
}

// HostSeconds is what a number of hosts of a cell cost beside the checks on them.
func HostSeconds(t Tier, hosts int) int {
	switch {
	case t == Container:
		return containerSeconds * hosts
	case hosts > 0:
		return coldSeconds + restoredSeconds*hosts
	}
	return 0
}
