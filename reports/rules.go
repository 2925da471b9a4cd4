package reports

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/reports/known"
)

// Rule is a known issue that is about something that a run was asked, and what became
// of it there.
type Rule struct {
	ID      string `json:"id"`
	Says    string `json:"says"`
	Tracker string `json:"tracker"`
	Owner   string `json:"owner"`
	Expires string `json:"expires"`
	// Expired rules excuse nothing, and hold.
	Expired bool `json:"expired,omitempty"`
	// Fired are the failures that it is, and Quiet the answers in which it should have
	// been seen and was not, each as "CHECK on CELL".
	Fired []string `json:"fired,omitempty"`
	Quiet []string `json:"quiet,omitempty"`
}

// String tells what is known in a line.
func (r *Rule) String() string {
	return oneline(fmt.Sprintf("%s: %s (%s; owner %s; until %s)", r.ID, r.Says, r.Tracker, r.Owner, r.Expires), shownText)
}

// Apply holds the failures of a judged run against what is known and waived at a time:
// FAIL becomes KNOWN where a rule has all of its text, PASS becomes FIXED where one
// should have fired. Nothing else changes a verdict, and nothing turns one into PASS.
func (m *Matrix) Apply(rules *known.Rules, now time.Time) {
	a := applier{m: m, rules: rules, now: now, rule: map[*known.Issue]*Rule{}, sources: map[string]string{}}
	for _, set := range m.PackageSets {
		a.sources[set.Release] = set.Source
	}
	for i := range m.Results {
		if r := &m.Results[i]; r.Record != nil && (r.Verdict == matrix.Fail || r.Verdict == matrix.Pass) {
			a.apply(r)
			a.waive(r)
		}
	}
	for i := range rules.Issues {
		if rule := a.rule[&rules.Issues[i]]; rule != nil {
			m.Rules = append(m.Rules, *rule)
		}
	}
	m.share()
	m.Count()
}

type applier struct {
	m       *Matrix
	rules   *known.Rules
	now     time.Time
	rule    map[*known.Issue]*Rule
	sources map[string]string
}

// subject is what rules are held against.
func (a *applier) subject(r *Result) known.Subject {
	s := known.Subject{Check: r.Check, Cell: a.m.Cell(r.Cell).planned(), L2: r.Record.Accelerators["L2"],
		Source: func(release string) string { return a.sources[release] }}
	if from := a.m.Cell(r.Against); from != nil {
		s.From = from.planned()
	}
	return s
}

// about lists the rules that are about a result and excuse it, and says what of others has expired.
func (a *applier) about(r *Result) (live []*known.Issue, expired []string) {
	subject := a.subject(r)
	for n := range a.rules.Issues {
		i := &a.rules.Issues[n]
		if !i.Applies(subject) {
			continue
		}
		if a.rule[i] == nil {
			a.rule[i] = &Rule{ID: i.ID.Text, Says: i.Says, Tracker: i.Tracker, Owner: i.Owner, Expires: i.Expires.String(), Expired: i.Expires.Over(a.now)}
		}
		if a.rule[i].Expired {
			expired = append(expired, i.ID.Text)
		} else {
			live = append(live, i)
		}
	}
	return live, expired
}

func (a *applier) apply(r *Result) {
	live, expired := a.about(r)
	var by []*known.Issue
	var fresh []string
	if r.Verdict == matrix.Fail {
		by, fresh = known.Explain(r.Reason, live)
	}
	var words []string
	for _, i := range by {
		a.rule[i].Fired = append(a.rule[i].Fired, place(r))
		r.Known = append(r.Known, i.ID.Text)
		words = append(words, a.rule[i].String())
	}
	var quiet []string
	for _, i := range live {
		// Another failure of the check may hide one that is told by its text, and the end of a
		// list one that is told by its line.
		hidden := r.Verdict == matrix.Fail && (i.Text != nil || cutOff.MatchString(r.Reason))
		if !slices.Contains(by, i) && !i.Intermittent && !hidden {
			a.rule[i].Quiet = append(a.rule[i].Quiet, place(r))
			quiet = append(quiet, i.ID.Text)
		}
	}
	switch {
	case r.Verdict == matrix.Pass && len(quiet) > 0:
		r.Verdict, r.Known = matrix.Fixed, quiet
		r.Reason = "known issue " + strings.Join(quiet, ", ") + " did not fire: remove the rule, or narrow its versions"
	case len(by) > 0 && len(fresh) == 0:
		r.Verdict = matrix.Known
	case len(by) > 0:
		words = append(words, fmt.Sprintf("new, %d of %s: %s", len(fresh), number(strings.Count(strings.TrimSpace(r.Reason), "\n"), "line"), some(fresh, 4)))
	case r.Verdict == matrix.Fail && len(live) > 0:
		words = append(words, fmt.Sprintf("new: known issue %s is about these versions, but not in these words", live[0].ID.Text))
	}
	if r.Verdict == matrix.Fail && len(expired) > 0 {
		words = append(words, "the rule expired and excuses nothing: "+strings.Join(expired, ", "))
	}
	r.Ruling = clip(strings.Join(words, "\n"), shownText)
}

// cutOff is how a list ends of which the record has not all.
var cutOff = regexp.MustCompile(`\nand [0-9]+ more\s*$`)

// waive notes the waiver of a failure. A pass that has one is told, so that it goes.
func (a *applier) waive(r *Result) {
	sets := map[string]string{}
	for _, i := range a.m.images(a.m.Cell(r.Cell), r) {
		sets[i.Role] = i.Key
	}
	for i := range a.rules.Waivers {
		w := &a.rules.Waivers[i]
		if !w.Matches(r.Cell, r.Check, sets) {
			continue
		}
		words := fmt.Sprintf("waived by %s until %s: %s", w.Author, w.Expires, w.Reason)
		switch {
		case w.Expires.Over(a.now):
			words = fmt.Sprintf("the waiver of %s expired on %s", w.Author, w.Expires)
		case r.Verdict == matrix.Fail:
			r.Waived = true
		default:
			words += "; not needed: remove it"
		}
		r.Ruling = clip(strings.TrimPrefix(r.Ruling+"\n"+words, "\n"), shownText)
	}
}

// place names a result.
func place(r *Result) string { return r.Check + " on " + r.Cell }

// planned is the cell as plans have it.
func (c *Cell) planned() *matrix.Cell {
	return &matrix.Cell{ID: c.ID, Kind: c.Kind, Tier: c.Tier, Composition: c.Composition, Stack: c.Stack, Settings: c.Settings}
}

// rulings are what the rules ask of the gate: those that hold, and what to remember.
func (m *Matrix) rulings(p Policy) (holding, remarks []string) {
	for i := range m.Rules {
		r := &m.Rules[i]
		switch {
		case r.Expired:
			holding = append(holding, fmt.Sprintf("known issue %s expired on %s, and is about this run; remove the rule, or look again", r.ID, r.Expires))
		case len(r.Quiet) > 0 && p.blocks(matrix.Fixed):
			holding = append(holding, fmt.Sprintf("known issue %s fires no more: %s; remove the rule, or narrow it", r.ID, some(r.Quiet, 2)))
		case len(r.Quiet) > 0:
			remarks = append(remarks, fmt.Sprintf("known issue %s fires no more: %s", r.ID, some(r.Quiet, 2)))
		}
	}
	return holding, remarks
}
