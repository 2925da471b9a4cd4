package main

import (
	"fmt"
	"testing"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/journal"
	"github.com/virtmatrix/virtmatrix/matrix"
)

func TestHowMuchIsAnsweredFromTheCacheIsSaid(t *testing.T) {
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.Local)
	plan := &matrix.Plan{Hash: "9147"}
	for i := range 4 {
		plan.Cells = append(plan.Cells, matrix.Cell{ID: fmt.Sprintf("cell-%d", i), Checks: []matrix.PlannedCheck{
			{ID: "IK-BOOT"}, {ID: "O-CONN"}, {ID: "IX-PV", Unsupported: "no Xen"},
		}})
	}
	plan.Cells = append(plan.Cells, matrix.Cell{ID: "asked nothing", Checks: []matrix.PlannedCheck{{ID: "IX-PV", Unsupported: "no Xen"}}})
	answers := func(all ...string) []journal.Record {
		var records []journal.Record
		for _, a := range all {
			var cell int
			var check, run string
			fmt.Sscan(a, &cell, &check, &run)
			at := now.Add(-11 * time.Hour)
			if run == "older" {
				at = at.Add(-48 * time.Hour)
			}
			records = append(records, journal.Record{
				Plan: plan.Hash, Cell: plan.Cells[cell].ID, Check: check, Verdict: matrix.Pass, Cached: &journal.Cached{Run: run, Time: at},
			})
		}
		return records
	}
	for _, tc := range []struct {
		records []journal.Record
		want    string
	}{
		{answers("0 IK-BOOT smoke", "0 O-CONN smoke"), "1 of 4 cells is answered from the cache (run smoke of yesterday 22:00)"},
		{answers("0 IK-BOOT smoke", "0 O-CONN smoke", "1 IK-BOOT older", "1 O-CONN smoke"),
			"2 of 4 cells are answered from the cache (run smoke of yesterday 22:00 and 1 run before it)"},
		{answers("0 IK-BOOT smoke", "0 O-CONN smoke", "3 O-CONN smoke"),
			"1 of 4 cells and 1 check of 1 cell more are answered from the cache (run smoke of yesterday 22:00)"},
		{answers("2 O-CONN older"), "1 check of 1 cell is answered from the cache (run older of 2026-11-19 22:00)"},
		{answers("0 IK-BOOT a", "0 O-CONN a", "1 IK-BOOT a", "1 O-CONN a", "2 IK-BOOT a", "2 O-CONN a", "3 IK-BOOT a", "3 O-CONN a"),
			"all 4 cells are answered from the cache (run a of yesterday 22:00)"},
	} {
		if got := recalledWords(plan, tc.records, now); got != tc.want {
			t.Errorf("said  %s\nwant  %s", got, tc.want)
		}
	}
}

func TestDaysAreNamedAsPeopleDo(t *testing.T) {
	now := time.Date(2026, 3, 1, 0, 5, 0, 0, time.Local)
	for want, at := range map[string]time.Time{
		"today 00:01": now.Add(-4 * time.Minute), "yesterday 23:59": now.Add(-6 * time.Minute),
		"yesterday 00:05": now.Add(-24 * time.Hour), "2026-02-27 23:05": now.Add(-25 * time.Hour),
		"2026-03-01 00:06": now.Add(time.Minute), // a clock that was set back
	} {
		if got := day(at, now); got != want {
			t.Errorf("%v is %q, want %q", at, got, want)
		}
	}
}

func TestHowOldAVerdictMayBeIsRead(t *testing.T) {
	for text, want := range map[string]time.Duration{"": never, "0": 0, "12h": 12 * time.Hour, "1h30m": 90 * time.Minute, "30d": 30 * 24 * time.Hour, "0d": 0, "106751d": 106751 * 24 * time.Hour} {
		if got, err := (&gcVerb{Verdicts: text}).age(); err != nil || got != want {
			t.Errorf("%q is %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"old", "-1h", "d", "3", "-1d", "+1d", "1h30d", "1.5d", "1_0d", "106752d", "200000d", "99999999999999999999d", "9999999999h"} {
		if _, err := (&gcVerb{Verdicts: text}).age(); err == nil {
			t.Errorf("%q is an age", text)
		}
	}
}
