package main

import (
	"os"
	"testing"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/progress"
	"github.com/virtmatrix/virtmatrix/internal/rundir"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/reports/known"
)

func TestAFailureThatIsKnownIsToldAsSuchWhenItComes(t *testing.T) {
	const rule = `
version: 1
issues:
- id: save-loses-memory
  checks: [O-SAVE]
  where: {libvirt: "= 9.0"}
  text: "the word is gone"
  says: it does
  tracker: docs/findings.md
  owner: virt-sig
  expires: 2999-01-01
`
	cat, err := matrix.Default()
	if err != nil {
		t.Fatal(err)
	}
	rules, err := known.Read(cat, known.File{Name: "known.yaml", Text: []byte(rule)}, known.File{Name: "waivers.yaml", Text: []byte("version: 1\nwaivers: []\n")})
	if err != nil {
		t.Fatal(err)
	}
	now := &judge{rules: rules, at: time.Now()}
	for _, tc := range []struct {
		reason  string
		by      *judge
		verdict matrix.Verdict
		text    string
	}{
		{"cannot hold O-SAVE: the word is gone", now, matrix.Known, "save-loses-memory"},
		{"cannot hold O-SAVE: another", now, matrix.Fail, "as the suites say"},
		{"cannot hold O-SAVE: the word is gone", nil, matrix.Fail, "as the suites say"},
	} {
		d, err := rundir.New(t.TempDir(), "smoke")
		if err != nil {
			t.Fatal(err)
		}
		p := samplePlan(t)
		records := sampleRecords(p)
		for i := range records {
			if records[i].Check == "O-SAVE" {
				records[i].Verdict, records[i].Layer, records[i].Reason = matrix.Fail, matrix.LayerManagement, tc.reason
			}
		}
		if err := os.WriteFile(d.Path("journal-1.ndjson"), lines(t, records), 0o644); err != nil {
			t.Fatal(err)
		}
		var told progress.Event
		sink := (&runner{app: &app{}, plan: p, dir: d, by: tc.by}).knowing(func(e progress.Event) { told = e })
		sink(progress.Event{Phase: progress.Finished, Cell: p.Cells[0].ID, Check: "O-SAVE", Verdict: matrix.Fail, Text: "as the suites say"})
		if told.Verdict != tc.verdict || told.Text != tc.text {
			t.Errorf("%q: told %s, %q", tc.reason, told.Verdict, told.Text)
		}
		sink(progress.Event{Phase: progress.Finished, Cell: p.Cells[0].ID, Check: "O-START", Verdict: matrix.Pass})
		if told.Verdict != matrix.Pass {
			t.Errorf("a pass is told as %s", told.Verdict)
		}
	}
}
