package reports

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/journal"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/reports/known"
)

// outcome is one way in which a check may have been answered.
type outcome struct {
	name    string
	verdict matrix.Verdict // "" for no record
	reason  string
}

var outcomes = []outcome{
	{"none", "", ""}, {"pass", matrix.Pass, ""}, {"the known failure", matrix.Fail, sampleText}, {"a failure", matrix.Fail, "cannot save: permission denied"},
	{"infra", matrix.Infra, "no room"}, {"blocked", matrix.Blocked, "needs a host"}, {"skipped", matrix.Unsupported, "by the suite"},
}

// ruleSets are all rules and waivers that may be about the check.
func ruleSets() map[string]*known.Rules {
	issues := map[string]string{
		"none": "", "a rule": sampleIssue, "an intermittent rule": strings.Replace(sampleIssue, "  text:", "  intermittent: true\n  text:", 1),
		"an expired rule": strings.Replace(sampleIssue, "2026-05-31", "2025-01-31", 1), "a rule of other versions": strings.Replace(sampleIssue, `"<= 9.0"`, `">= 11.3"`, 1),
	}
	waivers := map[string]string{"": "", " and a waiver": sampleWaiver, " and an expired waiver": strings.Replace(sampleWaiver, "2025-12-31", "2025-01-31", 1)}
	all := map[string]*known.Rules{}
	for i, issue := range issues {
		for w, waiver := range waivers {
			all[i+w] = ruled(issue, waiver)
		}
	}
	return all
}

// TestEachCombinationHasOneVerdict goes through all that a result may come from: how it was
// planned and answered, what rules and waivers say, and how its baseline was answered.
func TestEachCombinationHasOneVerdict(t *testing.T) {
	tolerant := DefaultPolicy()
	tolerant.TolerateStillBroken = true
	sets, combinations := ruleSets(), 0
	for _, unsupported := range []string{"", "needs two hosts"} {
		for _, is := range outcomes {
			for _, was := range outcomes {
				for name, rules := range sets {
					m := combined(unsupported, was, is)
					m.Apply(rules, noon)
					m.Find()
					m.Rebase = Rebased(m)
					r := m.Result(m.Cells[0].ID, "O-SAVE")
					combinations++
					where := fmt.Sprintf("%q planned, %s before, %s now, %s", unsupported, was.name, is.name, name)
					if err := m.check(); err != nil {
						t.Fatalf("%s: %v", where, err)
					}
					strict, lenient := Gate(m, DefaultPolicy(), noon), Gate(m, tolerant, noon)
					excused := r.Verdict == matrix.Pass || r.Verdict == matrix.Known || r.Verdict == matrix.Unsupported || r.Verdict == matrix.Fail && r.Waived
					if strict.Code == Ship && !excused {
						t.Errorf("%s: ships with %s", where, r.Verdict)
					}
					stillBroken := m.Rebase.of(r.Cell, r.Check) != nil && m.Rebase.of(r.Cell, r.Check).Move == StillBroken
					if lenient.Code == Ship && !excused && !stillBroken {
						t.Errorf("%s: ships with %s, tolerating what is still broken", where, r.Verdict)
					}
					if is.verdict == matrix.Fail && unsupported == "" && r.Verdict != matrix.Fail && r.Verdict != matrix.Known {
						t.Errorf("%s: a failure became %s", where, r.Verdict)
					}
					if r.Verdict == matrix.Known && (is.reason != sampleText || strings.Contains(name, "expired rule") || strings.Contains(name, "other versions")) {
						t.Errorf("%s: it is known", where)
					}
				}
			}
		}
	}
	t.Logf("%d combinations", combinations)
}

// combined is a run of a change, whose candidate and baseline answered O-SAVE so.
func combined(unsupported string, was, is outcome) *Matrix {
	now := ask(stack(matrix.KVM, matrix.Bundled, "bookworm", "6.12", "10.0", "9.0"), "O-CONN", "O-SAVE")
	old := ask(stack(matrix.KVM, matrix.Bundled, "bookworm", "6.12", "10.0", "11.3"), "O-CONN", "O-SAVE")
	now.Baseline, now.Checks[1].Unsupported = old.ID, unsupported
	p := plan(now, old)
	p.Change = &matrix.Change{Axis: "libvirt", From: "11.3", To: "9.0"}
	records := []journal.Record{record(p, now.ID, "O-CONN", matrix.Pass), record(p, old.ID, "O-CONN", matrix.Pass)}
	for cell, a := range map[string]outcome{now.ID: is, old.ID: was} {
		if a.verdict == "" || cell == now.ID && unsupported != "" {
			continue
		}
		r := record(p, cell, "O-SAVE", a.verdict)
		r.Reason, r.PackageSets = a.reason, map[string]string{"userland-kvm": "0123456789abcdef"}
		if a.verdict != matrix.Pass {
			r.Layer = matrix.LayerManagement
		}
		records = append(records, r)
	}
	return Judge(p, records, nil)
}

// TestAFailureMoreNeverShips: whatever a run holds, a failure that nothing excuses never
// makes a ship of it. Nor does a known one turn a hold into a ship, where the policy
// tolerates FIXED; where it does not, one that comes back ends the hold for its absence.
// (A known failure may be the answer that a run lacked.)
func TestAFailureMoreNeverShips(t *testing.T) {
	tolerant := DefaultPolicy()
	tolerant.BlockOn = Verdicts{matrix.Fail, matrix.Blocked}
	rnd := rand.New(rand.NewPCG(15, 15))
	sets := ruleSets()
	for trial := range 400 {
		name := sortedKeys(sets)[rnd.IntN(len(sets))]
		p, records := randomRun(rnd)
		before := decide(p, records, sets[name], DefaultPolicy())
		lenient := decide(p, records, sets[name], tolerant)
		i := rnd.IntN(len(records))
		records[i].Verdict, records[i].Reason, records[i].Layer = matrix.Fail, "cannot save: something new", matrix.LayerL2
		records[i].PackageSets = map[string]string{"userland-kvm": "another build"}
		if after := decide(p, records, sets[name], DefaultPolicy()); after == Ship {
			t.Errorf("%d: %s with %s became %s with a failure more", trial, before, name, after)
		}
		records[i].Reason = sampleText
		if after := decide(p, records, sets[name], tolerant); lenient == Hold && after == Ship {
			t.Errorf("%d: %s with %s became %s with a known failure more", trial, lenient, name, after)
		}
	}
}

func decide(p *matrix.Plan, records []journal.Record, rules *known.Rules, policy Policy) Code {
	m := Judge(p, records, nil)
	m.Apply(rules, noon)
	m.Find()
	return Gate(m, policy, noon).Code
}

// randomRun is a plan of some cells, and an answer to each of its questions or to most.
func randomRun(rnd *rand.Rand) (*matrix.Plan, []journal.Record) {
	var cells []matrix.Cell
	for _, libvirt := range []string{"9.0", "11.3", "12.8"}[:1+rnd.IntN(3)] {
		cells = append(cells, ask(stack(matrix.KVM, matrix.Bundled, "bookworm", "6.12", "10.0", libvirt), "O-CONN", "O-START", "O-SAVE"))
	}
	p := plan(cells...)
	var records []journal.Record
	for _, c := range cells {
		for _, check := range c.Checks {
			a := outcomes[1] // most pass
			if rnd.IntN(5) == 0 {
				a = outcomes[rnd.IntN(len(outcomes))]
			}
			if a.verdict == "" {
				continue
			}
			r := record(p, c.ID, check.ID, a.verdict)
			r.Reason, r.Attempts = a.reason, 1+rnd.IntN(10)/9
			r.Started = noon.Add(time.Duration(len(records)) * time.Minute)
			records = append(records, r)
		}
	}
	if len(records) == 0 {
		records = append(records, record(p, cells[0].ID, "O-CONN", matrix.Pass))
	}
	return p, records
}
