package matrix

import (
	"testing"
	"time"
)

func TestAnEstimateIsOfChecksAndHosts(t *testing.T) {
	cat := &Catalog{Checks: []Check{
		{ID: "IK-BOOT", Seconds: map[Tier]float64{Nested: 20.5}},
		{ID: "O-CONN", Seconds: map[Tier]float64{Nested: 1, Container: 0.5}},
		{ID: "O-SAVE", Seconds: map[Tier]float64{Container: 7}},
	}}
	ask := func(tier Tier, changes ...func([]PlannedCheck)) Cell {
		c := Cell{Tier: tier, Checks: []PlannedCheck{
			{ID: "IK-BOOT", Family: "inbound/kernel", Tier: tier}, {ID: "O-CONN", Family: "outbound/connection", Tier: tier},
			{ID: "O-SAVE", Family: "outbound/connection", Tier: tier},
		}}
		for _, change := range changes {
			change(c.Checks)
		}
		return c
	}
	noKernel := func(checks []PlannedCheck) { checks[0].Unsupported = "a container has L0's" }
	elsewhere := func(checks []PlannedCheck) { checks[1].AskedIn, checks[2].AskedIn = "first", "first" }
	for name, c := range map[string]struct {
		cells []Cell
		want  Estimate
	}{
		"no cells":            {nil, Estimate{}},
		"a machine":           {[]Cell{ask(Nested)}, Estimate{Checks: 42 * time.Second, Hosts: 68 * time.Second, Families: 2, Unmeasured: 1}},
		"a container":         {[]Cell{ask(Container, noKernel)}, Estimate{Checks: 7500 * time.Millisecond, Hosts: 3 * time.Second, Families: 1}},
		"asked of the first":  {[]Cell{ask(Nested), ask(Nested, elsewhere)}, Estimate{Checks: 62500 * time.Millisecond, Hosts: 132 * time.Second, Families: 3, Unmeasured: 1}},
		"nothing to be asked": {[]Cell{ask(Nested, noKernel, elsewhere)}, Estimate{}},
	} {
		if got := cat.Estimate(&Plan{Cells: c.cells}); got != c.want {
			t.Errorf("%s: got %+v, want %+v", name, got, c.want)
		}
	}
}
