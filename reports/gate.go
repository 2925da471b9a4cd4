package reports

import (
	"fmt"
	"strings"
	"time"

	"github.com/virtmatrix/virtmatrix/matrix"
)

// Code is the exit code of a decision.
type Code int

// The decisions.
const (
	// Ship: every question was answered, and nothing holds.
	Ship Code = 0
	// Hold: the product misbehaved.
	Hold Code = 1
	// NoAnswer: the run does not say whether the product behaves.
	NoAnswer Code = 2
)

// String returns the decision in capitals.
func (c Code) String() string {
	switch c {
	case Ship:
		return "SHIP"
	case Hold:
		return "HOLD"
	}
	return "COULD NOT JUDGE"
}

// Decision is what the gate says about a matrix.
type Decision struct {
	Code Code `json:"code"`
	// Reasons in words, most important first; never empty.
	Reasons []string `json:"reasons"`
	// Retried are the checks that passed only at a second try, as
	// "CHECK on CELL".
	Retried []string `json:"retried,omitempty"`
}

// Gate decides whether what was tested may be released. It counts the results
// itself, each answer once, and trusts no stored total. In order of weight:
//
//   - a matrix that cannot be judged (no cells, nothing executed, a cell
//     without any record, strays, a journal that is not as it was written, more
//     stalls than the policy allows) is NoAnswer, whatever else it holds;
//   - a verdict that the policy blocks on is Hold, and so is a version that stalls
//     more often than the others;
//   - INFRA, MISSING, and BLOCKED behind one of them are NoAnswer;
//   - the rest is Ship.
func Gate(m *Matrix, p Policy, now time.Time) Decision {
	g := sift(m, p)
	stalling, rest := m.stalls()
	g.holding = append(g.holding, stalling...)
	unfit := unfit(m)
	if p.MaxStalls != nil && rest.Stalls > *p.MaxStalls {
		unfit = append(unfit, fmt.Sprintf("%d of %s stalled and no version explains it (the policy allows %d); the machine or its emulator is ill, run again elsewhere",
			rest.Stalls, number(rest.Attempts, "attempt"), *p.MaxStalls))
	}
	var d Decision
	for _, r := range g.retried {
		d.Retried = append(d.Retried, r.Check+" on "+r.Cell)
	}
	switch {
	case len(unfit) > 0:
		d.Code = NoAnswer
	case len(g.holding) > 0:
		d.Code = Hold
	case len(g.unanswered) > 0:
		d.Code = NoAnswer
	}
	for _, reasons := range [][]string{unfit, g.holding, g.unanswered, g.remarks} {
		d.Reasons = append(d.Reasons, reasons...)
	}
	if d.Code == Ship {
		said := []string{summary(m)}
		if words := p.Window.words(now); words != "" {
			said = append(said, words)
		}
		d.Reasons = append(said, d.Reasons...)
	}
	return d
}

// summary says in a line what a matrix without a blemish rests on.
func summary(m *Matrix) string {
	totals := count(m.Results)
	s := fmt.Sprintf("%s of %s passed", number(totals[matrix.Pass], "check"), number(len(m.Cells), "cell"))
	if n := totals[matrix.Unsupported]; n > 0 {
		s += fmt.Sprintf(", %d do not apply", n)
	}
	return s
}

// unfit says why a matrix allows no decision at all.
func unfit(m *Matrix) []string {
	if m.Run.Shard != "" {
		return []string{"it is shard " + m.Run.Shard + " of a plan; judge what virtmatrix merge makes of all shards"}
	}
	if len(m.Cells) == 0 {
		return []string{"the plan has no cells; an empty run proves nothing"}
	}
	var reasons []string
	if n := len(m.Stray); n > 0 {
		s := m.Stray[0]
		reasons = append(reasons, fmt.Sprintf("%s of the journal answer no question of this plan (first: %s of %s: %s); judge with the plan that was run",
			number(n, "record"), oneline(s.Check, 80), oneline(s.Cell, 80), oneline(s.Problem, 200)))
	}
	if broken := damage(m, false); len(broken) > 0 {
		reasons = append(reasons, fmt.Sprintf("the journal is not as it was written, so its answers prove nothing: %s; run again", some(broken, 3)))
	}
	twins := map[string]string{}
	for _, c := range m.Cells {
		twins[c.ID] = c.Baseline
	}
	executed, answered, applies, excused := 0, map[string]bool{}, map[string]bool{}, map[string]bool{}
	for i := range m.Results {
		r := &m.Results[i]
		applies[r.Cell] = applies[r.Cell] || r.Verdict != matrix.Unsupported
		excused[r.Cell] = excused[r.Cell] || r.Verdict == matrix.Unsupported
		answered[r.Cell] = answered[r.Cell] || r.Record != nil || r.AskedIn != "" && r.Verdict != matrix.Missing
		answered[r.Against] = answered[r.Against] || r.Record != nil
		if r.delivers && answered[r.Cell] {
			answered[twins[r.Cell]] = true
		}
		switch r.Verdict {
		case matrix.Pass, matrix.Fail, matrix.Known, matrix.Fixed:
			executed++
		}
	}
	if executed == 0 {
		reasons = append(reasons, "no check was executed; an empty run proves nothing")
	}
	var silent []string
	for _, c := range m.Cells {
		// Nothing that was asked may apply to a cell, which is no silence of it.
		if !answered[c.ID] && (applies[c.ID] || !excused[c.ID]) {
			silent = append(silent, c.ID)
		}
	}
	if len(silent) > 0 {
		reasons = append(reasons, fmt.Sprintf("%s without any result: %s; run them, or plan without them",
			number(len(silent), "cell"), some(silent, 3)))
	}
	return reasons
}

// sifted are the reasons of a matrix by what they lead to.
type sifted struct {
	holding, unanswered, remarks []string
	retried                      []*Result
}

// unanswerable is the word for what is blocked through no fault of the product.
const unanswerable = "BLOCKED by what gave no answer itself"

func sift(m *Matrix, p Policy) sifted {
	var g sifted
	holding, unanswered, tolerated := tally{}, tally{}, tally{}
	for i := range m.Results {
		r := &m.Results[i]
		switch {
		case r.AskedIn != "": // it counts where it was asked
		case r.Retried():
			g.retried = append(g.retried, r)
		case r.Verdict == matrix.Infra || r.Verdict == matrix.Missing:
			unanswered.add(string(r.Verdict), r)
		case r.Verdict == matrix.Blocked && !productBlocks(m, r):
			unanswered.add(unanswerable, r)
		case (r.Verdict == matrix.Fail || r.Verdict == matrix.Blocked) && p.TolerateStillBroken && m.brokenBefore(r):
			tolerated.add("STILL BROKEN (tolerated)", r)
		case r.Verdict == matrix.Fail && r.Waived:
			tolerated.add("FAIL (waived)", r)
		case r.Verdict == matrix.Fail && r.Quarantined:
			tolerated.add("FAIL (quarantined)", r)
		case p.blocks(r.Verdict):
			holding.add(string(r.Verdict), r)
		case r.Verdict != matrix.Pass && r.Verdict != matrix.Unsupported:
			tolerated.add(string(r.Verdict)+" (tolerated)", r)
		}
	}
	g.holding = holding.reasons("FAIL", "FIXED", "BLOCKED", "KNOWN", "UNSUPPORTED")
	if n := m.distinct(); len(g.holding) > 0 && n > 0 && n < len(holding[string(matrix.Fail)]) {
		g.holding[0] = strings.Replace(g.holding[0], "FAIL", fmt.Sprintf("FAIL, %s", number(n, "finding")), 1)
	}
	g.unanswered = unanswered.reasons("INFRA", "MISSING", unanswerable)
	g.remarks = tolerated.reasons("STILL BROKEN (tolerated)", "FAIL (waived)", "FAIL (quarantined)", "FIXED (tolerated)", "BLOCKED (tolerated)", "KNOWN (tolerated)")
	ruled, noted := m.rulings(p)
	g.holding, g.remarks = append(g.holding, ruled...), append(g.remarks, noted...)
	g.uncovered(m)
	g.retries(p)
	if torn := damage(m, true); len(torn) > 0 {
		g.remarks = append(g.remarks, "the journal ends early, and what it lacks is MISSING: "+some(torn, 3))
	}
	if n := len(m.Run.Harness); n > 1 {
		g.remarks = append(g.remarks, fmt.Sprintf("%d revisions of virtmatrix gave the answers: %s", n, oneline(some(m.Run.Harness, 3), 400)))
	}
	return g
}

// retries reports passes at a second try, and holds when they are too many.
func (g *sifted) retries(p Policy) {
	n := len(g.retried)
	if n == 0 {
		return
	}
	reason := fmt.Sprintf("%d passed only at a second try: %s", n, places(g.retried))
	if p.MaxRetried != nil && n > *p.MaxRetried {
		g.holding = append(g.holding, fmt.Sprintf("%s (the policy allows %d)", reason, *p.MaxRetried))
		return
	}
	g.remarks = append(g.remarks, reason)
}

// damage lists where the journal is not as it was written: what a kill tore, which
// answers nothing, or what makes the rest doubtful.
func damage(m *Matrix, torn bool) []string {
	var places []string
	for _, d := range m.Damage {
		if d.Torn == torn {
			places = append(places, oneline(d.String(), 200))
		}
	}
	return places
}

// productBlocks follows a BLOCKED result to the step that blocked it and says whether
// that was a fault of the product. Without a step that says otherwise, it is.
func productBlocks(m *Matrix, r *Result) bool {
	seen := map[*Result]bool{}
	for r != nil && r.Verdict == matrix.Blocked && r.Record != nil && !seen[r] {
		if r.Record.Layer == matrix.LayerHarness {
			return false
		}
		seen[r] = true
		r = m.Result(r.Cell, r.Record.BlockedBy)
	}
	return r == nil || (r.Verdict != matrix.Infra && r.Verdict != matrix.Missing)
}

// tally collects results under a word.
type tally map[string][]*Result

func (t tally) add(word string, r *Result) { t[word] = append(t[word], r) }

// reasons puts the collected results into words, in the given order.
func (t tally) reasons(order ...string) []string {
	var out []string
	for _, word := range order {
		if results := t[word]; len(results) > 0 {
			out = append(out, fmt.Sprintf("%d %s: %s", len(results), word, places(results)))
		}
	}
	return out
}

// places says where results are in as few words as it can: by check when few
// checks went wrong on many cells, else by cell.
func places(results []*Result) string {
	checks, cells := map[string][]string{}, map[string][]string{}
	var checkOrder, cellOrder []string
	for _, r := range results {
		if checks[r.Check] == nil {
			checkOrder = append(checkOrder, r.Check)
		}
		if cells[r.Cell] == nil {
			cellOrder = append(cellOrder, r.Cell)
		}
		checks[r.Check] = append(checks[r.Check], r.Cell)
		cells[r.Cell] = append(cells[r.Cell], r.Check)
	}
	var parts []string
	if len(checks) <= len(cells) {
		for _, check := range checkOrder {
			parts = append(parts, check+" on "+few(checks[check], "cell"))
		}
	} else {
		for _, cell := range cellOrder {
			parts = append(parts, few(cells[cell], "check")+" on "+cell)
		}
	}
	return oneline(some(parts, 3), shownText)
}

// few names one or two things and counts more.
func few(names []string, noun string) string {
	if len(names) > 2 {
		return number(len(names), noun)
	}
	return strings.Join(names, " and ")
}
