package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/virtmatrix/virtmatrix/internal/journal"
	"github.com/virtmatrix/virtmatrix/internal/owner"
	"github.com/virtmatrix/virtmatrix/internal/rundir"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// twoCells is a plan of two cells with two checks each, of which one does not apply.
func twoCells(t *testing.T) *matrix.Plan {
	t.Helper()
	p := &matrix.Plan{Version: matrix.PlanVersion, Cells: []matrix.Cell{
		{ID: "a", Checks: []matrix.PlannedCheck{{ID: "O-CONN"}, {ID: "O-START"}}},
		{ID: "b", Checks: []matrix.PlannedCheck{{ID: "O-CONN"}, {ID: "O-START", Unsupported: "not here"}}},
	}}
	holds(t, p.Seal())
	return p
}

// passes are the answers to a plan, each a pass at the first try.
func passes(p *matrix.Plan) []journal.Record {
	var all []journal.Record
	for i := range p.Cells {
		for _, c := range p.Cells[i].Checks {
			if c.Unsupported == "" {
				rec := journal.Ask(p, &p.Cells[i], c)
				rec.Verdict, rec.Attempts = matrix.Pass, 1
				all = append(all, rec)
			}
		}
	}
	return all
}

func holds(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestAnswersThatAreNoPassAtTheFirstTryAreTold(t *testing.T) {
	type records = []journal.Record
	p := twoCells(t)
	for name, tc := range map[string]struct {
		change func(r records) records
		want   string
		says   string
	}{
		"all pass":        {func(r records) records { return r }, "", ""},
		"a fault of ours": {func(r records) records { r[1].Verdict, r[1].Reason = matrix.Infra, "no room\nat all"; return r }, "a: O-START ended in INFRA after 1 attempts: no room", ""},
		"a second try":    {func(r records) records { r[0].Attempts, r[0].Notes = 2, []string{"attempt 1 stalled"}; return r }, "a: O-CONN ended in PASS after 2 attempts: attempt 1 stalled", ""},
		"a failure":       {func(r records) records { r[0].Verdict, r[1].Verdict = matrix.Fail, matrix.Blocked; return r }, "a: O-CONN ended in FAIL after 1 attempts: ; a: O-START ended in BLOCKED after 1 attempts: ", ""},
		"the last is not": {func(r records) records { return r[:2] }, "", "O-CONN of b has no answer"},
		"only the last":   {func(r records) records { return r[2:] }, "", "O-CONN of a has no answer"},
		"another run's":   {func(r records) records { r[2].Cached = &journal.Cached{}; return r }, "", "O-CONN of b was answered by an earlier run"},
	} {
		got, err := flaws(p, tc.change(passes(p)))
		if strings.Join(got, "; ") != tc.want || (err == nil) != (tc.says == "") || err != nil && err.Error() != tc.says {
			t.Errorf("%s: %q, %v, want %q, %q", name, got, err, tc.want, tc.says)
		}
	}
}

// ran are runs whose command is a shell script, in which leave puts a run with the
// records into the folder of runs.
func ran(t *testing.T, p *matrix.Plan, records []journal.Record, script string) *runs {
	t.Helper()
	made := t.TempDir()
	d, err := rundir.New(made, "test")
	holds(t, err)
	holds(t, d.WritePlan(p))
	w, err := journal.Open(d.Path(), 1)
	holds(t, err)
	holds(t, w.AppendAll(records))
	holds(t, w.Close())
	command := filepath.Join(t.TempDir(), "virtmatrix")
	// Its arguments are run -plan PLAN -fresh -parallel N -runs FOLDER -v.
	script = "#!/bin/sh\nleave() { mkdir -p \"$runs\" && cp -a " + made + "/. \"$runs\"; }\nruns=$8\n" + script + "\n"
	holds(t, os.WriteFile(command, []byte(script), 0o755))
	return &runs{lab: &lab{progress: io.Discard, large: &owner.Folder{Path: t.TempDir()}}, command: command, plan: p}
}

func TestARunCountsOnlyWhenItAnsweredEverything(t *testing.T) {
	p := twoCells(t)
	all := passes(p)
	for name, tc := range map[string]struct {
		records []journal.Record
		script  string
		says    string
	}{
		"all pass":               {all, `leave`, ""},
		"the gate holds":         {all, `leave; exit 1`, ""},
		"it ended early":         {all[:1], `leave; echo no room; exit 2`, "O-START of a has no answer; it says no room"},
		"it was killed":          {all, `leave; kill -9 $$`, "signal: killed"},
		"it did not even begin":  {all, `exit 2`, "cannot open run"},
		"its journal is missing": {nil, `leave; exit 2`, "the run has no answers"},
	} {
		o, err := ran(t, p, tc.records, tc.script).one(t.Context(), 2)
		values := o.values()
		if tc.says == "" {
			if n, ok := values[figureFlaws]; err != nil || !ok || n != 0 || values[figureWall] <= 0 {
				t.Errorf("%s: %v, %v", name, values, err)
			}
		} else if err == nil || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v, want %q", name, err, tc.says)
		}
	}
}

func TestARunThatDidNotBeginIsNotTakenForTheOneBefore(t *testing.T) {
	p := twoCells(t)
	again := filepath.Join(t.TempDir(), "again")
	r := ran(t, p, passes(p), `test -e `+again+` && exit 2; touch `+again+`; leave`)
	_, err := r.one(t.Context(), 1)
	holds(t, err)
	if o, err := r.one(t.Context(), 1); err == nil {
		t.Errorf("a run that did not begin gave %v", o.values())
	}
}
