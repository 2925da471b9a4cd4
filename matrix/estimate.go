package matrix

import "time"

// What hosts cost beside the checks on them, in seconds: a container starts, a machine
// is restored for each family, and boots once in each cell, emulated, to be saved.
const (
	containerSeconds = 3
	restoredSeconds  = 4
	coldSeconds      = 60
	// unmeasuredSeconds is what a check without a measure counts where cells are weighed.
	unmeasuredSeconds = 5
)

// Estimate is what a plan costs if one host runs at a time, without building images.
type Estimate struct {
	Checks, Hosts time.Duration
	// Families are the hosts that could run side by side. Unmeasured checks have no
	// measure on their tier, and count nothing.
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
			e.Unmeasured++
		}
		checks += seconds
	}
	e.Families = len(families)
	e.Checks, e.Hosts = time.Duration(checks*float64(time.Second)), time.Duration(HostSeconds(cell.Tier, len(families)))*time.Second
	return e
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
