package reports

import (
	"fmt"
	"slices"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/journal"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// question is what a plan asks and a record answers.
type question struct{ cell, check string }

// Judge gives each planned check of each cell its verdict. When several
// records answer one question the last of them counts, and the verdicts of the
// others are kept in Earlier. Records that the plan did not ask for become
// Stray: they are never dropped, because they mean that plan and journal do
// not belong together.
func Judge(plan *matrix.Plan, records []journal.Record, damage journal.Damage) *Matrix {
	m := &Matrix{
		Version:     MatrixVersion,
		Run:         Run{Profile: plan.Profile, Plan: plan.Hash},
		Damage:      damage,
		Change:      plan.Change,
		Coverage:    plan.Coverage,
		PackageSets: plan.PackageSets,
	}
	if plan.Shard != nil {
		m.Run.Shard = plan.Shard.String()
	}
	answers := m.sort(plan, records)
	for _, c := range plan.Cells {
		m.Cells = append(m.Cells, Cell{
			ID: c.ID, Kind: c.Kind, Tier: c.Tier, Composition: c.Composition, Stack: c.Stack, Settings: c.Settings, Why: c.Why, Baseline: c.Baseline, Images: c.Images,
		})
		for _, check := range c.Checks {
			m.Results = append(m.Results, judge(c.ID, check, answers[question{c.ID, check.ID}]))
		}
	}
	m.share()
	m.Count()
	return m
}

// share gives the verdicts of cells that were asked to those that were not. What a
// plan leaves to a cell that it does not ask is missing.
func (m *Matrix) share() {
	results := m.index()
	for i := range m.Results {
		r := &m.Results[i]
		if r.AskedIn == "" {
			continue
		}
		own := results[question{r.AskedIn, r.Check}]
		if own == nil || own.AskedIn != "" || own.Verdict == matrix.Unsupported {
			r.Verdict, r.Reason, r.AskedIn = matrix.Missing, "the plan leaves it to "+r.AskedIn+", which it does not ask", ""
			continue
		}
		r.Verdict, r.Reason, r.Known, r.Ruling, r.Waived = own.Verdict, own.Reason, own.Known, own.Ruling, own.Waived
	}
}

// sort puts each record to the question that it answers, or among the strays.
func (m *Matrix) sort(plan *matrix.Plan, records []journal.Record) map[question][]journal.Record {
	planned := map[question]matrix.PlannedCheck{}
	for _, c := range plan.Cells {
		for _, check := range c.Checks {
			planned[question{c.ID, check.ID}] = check
		}
	}
	answers := map[question][]journal.Record{}
	for _, r := range records {
		if problem := stray(plan, planned, &r); problem != "" {
			m.Stray = append(m.Stray, Stray{clip(r.Cell, storedLine), clip(r.Check, storedLine), r.Verdict, problem})
			continue
		}
		q := question{r.Cell, r.Check}
		answers[q] = append(answers[q], r)
		m.Run.saw(&r)
	}
	return answers
}

// stray says why a record answers nothing that the plan asks, or "".
func stray(plan *matrix.Plan, planned map[question]matrix.PlannedCheck, r *journal.Record) string {
	check, asked := planned[question{r.Cell, r.Check}]
	switch {
	case r.Plan != plan.Hash:
		return fmt.Sprintf("it answers the plan %.12q, not %.12q", r.Plan, plan.Hash)
	case plan.Cell(r.Cell) == nil:
		return "the plan has no such cell"
	case !asked:
		return "the plan does not ask this of the cell"
	case r.Tier != check.Tier:
		return fmt.Sprintf("it was answered on the tier %.20q, and the plan asks for %s", r.Tier, check.Tier)
	case check.Unsupported != "" && r.Verdict != matrix.Unsupported:
		return "the plan says that the check does not apply: " + check.Unsupported
	case check.AskedIn != "":
		return "the plan asks this of " + check.AskedIn
	}
	return ""
}

// judge gives the verdict on one question from the records that answer it.
func judge(cell string, check matrix.PlannedCheck, answers []journal.Record) Result {
	res := Result{Cell: cell, Check: check.ID, Family: check.Family, Tier: check.Tier, AskedIn: check.AskedIn, Against: check.Against, depends: check.Depends, relied: check.Relied, delivers: check.OfDelivery()}
	for i := range answers {
		res.Trials.add(trials(&answers[i]))
	}
	if n := len(answers); n > 0 {
		for _, a := range answers[:n-1] {
			res.Earlier = append(res.Earlier, a.Verdict)
		}
		last := limited(answers[n-1])
		res.Record, res.Verdict, res.Reason = &last, last.Verdict, last.Reason
	}
	switch {
	case check.Unsupported != "":
		res.Verdict, res.Reason = matrix.Unsupported, check.Unsupported
	case res.Record == nil:
		res.Verdict, res.Reason = matrix.Missing, "planned, but the journal has no answer"
	case res.Verdict == matrix.Unsupported:
		// Only the plan may excuse a cell, or a suite could skip itself green.
		res.Verdict = matrix.Missing
		res.Reason = "the run skipped it, though the plan asks for it: " + res.Reason
	}
	return res
}

// limited returns a record whose free texts are no longer than we store.
func limited(r journal.Record) journal.Record {
	r.Reason = clip(r.Reason, storedText)
	r.Repeat = clip(r.Repeat, storedLine)
	r.Evidence = clip(r.Evidence, storedLine)
	r.Said = clipLines(r.Said)
	r.Notes = clipLines(r.Notes)
	r.Quirks = clipLines(r.Quirks)
	return r
}

// saw adds to the run what a record tells about it.
func (run *Run) saw(r *journal.Record) {
	if run.Started.IsZero() || r.Started.Before(run.Started) {
		run.Started = r.Started
	}
	end := r.Started.Add(time.Duration(r.Seconds * float64(time.Second)))
	if end.After(run.Finished) {
		run.Finished = end
	}
	run.WallSeconds = run.Finished.Sub(run.Started).Seconds()
	run.GuestSeconds += r.GuestSeconds
	run.Harness = with(run.Harness, r.Harness)
	run.Emulators = with(run.Emulators, r.Emulator)
	for layer, accelerator := range r.Accelerators {
		if run.Accelerators == nil {
			run.Accelerators = map[string][]string{}
		}
		run.Accelerators[layer] = with(run.Accelerators[layer], accelerator)
	}
}

// with adds a word to a sorted list that does not hold it yet.
func with(list []string, word string) []string {
	at, found := slices.BinarySearch(list, word)
	if found || word == "" {
		return list
	}
	return slices.Insert(list, at, word)
}
