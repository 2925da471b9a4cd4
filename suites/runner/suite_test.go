package runner

import (
	"strings"
	"testing"

	"github.com/virtmatrix/virtmatrix/internal/journal"
	"github.com/virtmatrix/virtmatrix/internal/rundir"
	"github.com/virtmatrix/virtmatrix/matrix"
)

func TestHostsWithASnapshotGoFirst(t *testing.T) {
	plan := &matrix.Plan{Version: matrix.PlanVersion, Profile: "order", Cells: []matrix.Cell{
		{ID: "contained", Tier: matrix.Container}, {ID: "cold", Tier: matrix.Nested}, {ID: "warm", Tier: matrix.Nested},
	}}
	dir, err := rundir.New(t.TempDir(), plan.Profile)
	if err != nil {
		t.Fatal(err)
	}
	warm := func(c *matrix.Cell) bool { return c.ID == "warm" }
	// By the time that another process asks, the other host has a snapshot too.
	for _, restores := range []func(*matrix.Cell) bool{warm, func(*matrix.Cell) bool { return true }} {
		cells, err := ordered(dir, plan, restores)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, c := range cells {
			got = append(got, c.ID)
		}
		if want := "contained warm cold"; strings.Join(got, " ") != want {
			t.Errorf("the cells come as %s, want %s", got, want)
		}
	}
}

func TestAnswersOutOfTheCacheAreToldWhenNothingIsLeftToAsk(t *testing.T) {
	plan := &matrix.Plan{Version: matrix.PlanVersion, Profile: "cached", Cells: []matrix.Cell{
		{ID: "kvm_linux-6.1", Checks: []matrix.PlannedCheck{
			{ID: "IK-BOOT", Family: "inbound/kernel"}, {ID: "IX-PV", Unsupported: "no Xen"}, {ID: "O-DEF", AskedIn: "another"},
		}},
	}}
	dir, err := rundir.New(t.TempDir(), plan.Profile)
	if err != nil {
		t.Fatal(err)
	}
	rec := journal.Ask(plan, &plan.Cells[0], plan.Cells[0].Checks[0])
	rec.Verdict, rec.Cached = matrix.Fail, &journal.Cached{Run: "earlier"}
	s := &Suite{dir: dir, Plan: plan}
	s.recalled([]journal.Record{rec})
	if err := s.ready(t.Context(), nil, 1, nil); err != nil {
		t.Fatal(err)
	}
	units := s.Units()
	if len(units) != 1 || len(units[0].Checks) != 1 {
		t.Fatalf("the units are %+v, want one of one check", units)
	}
	// Without a host: there is none.
	told, err := units[0].Ask(t.Context(), units[0].Checks[0])
	if err != nil || told.Verdict != matrix.Fail || told.Cached == nil {
		t.Errorf("told %+v, %v", told, err)
	}
}

func TestASeedShufflesTheChecksOfACellAndReplays(t *testing.T) {
	cell := &matrix.Cell{ID: "a", Checks: []matrix.PlannedCheck{{ID: "IK-BOOT", Boot: true}}}
	for _, id := range strings.Split("b c d e f g h i j k l m n o p q", " ") {
		cell.Checks = append(cell.Checks, matrix.PlannedCheck{ID: id})
	}
	order := func(cell *matrix.Cell, seed uint64) string {
		var ids []string
		for _, c := range shuffled(cell, seed) {
			ids = append(ids, c.ID)
		}
		return strings.Join(ids, " ")
	}
	planned, first := order(cell, 0), order(cell, 1)
	other := *cell
	other.ID = "b"
	switch {
	case planned != "IK-BOOT b c d e f g h i j k l m n o p q":
		t.Errorf("without a seed they come as %s", planned)
	case first != order(cell, 1):
		t.Error("a seed gives two orders")
	case first == planned || first == order(cell, 2) || first == order(&other, 1):
		t.Errorf("%s is the order of other seeds or cells as well", first)
	case !strings.HasPrefix(first, "IK-BOOT ") || len(first) != len(planned):
		t.Errorf("%s has not each check, the boot check first", first)
	}
}
