package reports

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/journal"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// BaselinePolicy says when several runs are a measure: the newest Runs of them count. A failure
// is the baseline's when Agree of them have it, so that one unlucky run excuses nothing.
type BaselinePolicy struct {
	Runs  int `yaml:"runs"`
	Agree int `yaml:"agree"`
	// MaxAgeDays is how old an answer may be; 0 is any age.
	MaxAgeDays int `yaml:"max_age_days"`
}

// check says what is wrong with the policy. The zero value takes the newest run alone.
func (p BaselinePolicy) check() error {
	switch {
	case p.Agree < 0 || p.MaxAgeDays < 0:
		return errors.New("baseline has a number below 0")
	case p.Agree > p.Runs || p.Runs > 0 && p.Agree == 0:
		return fmt.Errorf("baseline wants %d of %d runs to agree; want at least 1, and no more than there are", p.Agree, p.Runs)
	}
	return nil
}

// Agreed makes one baseline of several runs, the newest first, to hold a run against. Answers
// on a tier, an accelerator or in an epoch that the run has none of count only where there
// are no others, so that Compare tells why. What is too old at a time counts nowhere.
func (p BaselinePolicy) Agreed(runs []*Matrix, now *Matrix, at time.Time) *Matrix {
	agreed := &Matrix{Version: MatrixVersion, Run: runs[0].Run, PackageSets: runs[0].PackageSets}
	votes, order := map[question][]vote{}, []question(nil)
	for _, m := range runs[:min(len(runs), max(p.Runs, 1))] {
		for _, c := range m.Cells {
			if agreed.Cell(c.ID) == nil {
				agreed.Cells = append(agreed.Cells, c)
			}
		}
		for i := range m.Results {
			q := question{m.Results[i].Cell, m.Results[i].Check}
			if votes[q] == nil {
				order = append(order, q)
			}
			votes[q] = append(votes[q], m.vote(&m.Results[i]))
		}
	}
	measures := now.measures()
	for _, q := range order {
		agreed.Results = append(agreed.Results, p.decide(votes[q], measures, at))
	}
	agreed.Count()
	return agreed
}

// vote is what one run says of a check.
type vote struct {
	Result
	state
	// words and measure tell failures and ways of asking apart.
	words, measure string
	given          time.Time
}

func (m *Matrix) vote(r *Result) vote {
	v := vote{Result: *r, state: m.state(r)}
	// It stands for itself: another run may have the other cell's answer.
	v.Record, v.AskedIn = m.own(r).Record, ""
	if v.Record == nil {
		return v
	}
	v.measure, v.given = measure(v.Record), v.Record.Started
	if v.Record.Cached != nil {
		v.given = v.Record.Cached.Time
	}
	if v.state == broken {
		words, _ := signature(r.Reason, r.Cell)
		v.words = string(v.Layer()) + " " + words
	}
	return v
}

// measure is in what way a check was asked. Only answers that were asked alike are compared.
func measure(r *journal.Record) string {
	return fmt.Sprint(r.Tier, " ", layers(r), " ", r.Epoch)
}

// measures are those that a run has.
func (m *Matrix) measures() map[string]bool {
	all := map[string]bool{}
	for i := range m.Results {
		if r := m.Results[i].Record; r != nil {
			all[measure(r)] = true
		}
	}
	return all
}

// decide gives the result that the baseline has of a check.
func (p BaselinePolicy) decide(votes []vote, measures map[string]bool, at time.Time) Result {
	var count []vote
	var old, strange *vote
	said := map[string]int{}
	for i := range votes {
		switch v := &votes[i]; {
		case v.state == absent || v.state == silent:
		case p.MaxAgeDays > 0 && at.Sub(v.given) > time.Duration(p.MaxAgeDays)*day:
			if old == nil {
				old = v
			}
		case !measures[v.measure]:
			if strange == nil {
				strange = v
			}
		default:
			count = append(count, *v)
			said[v.words]++
		}
	}
	silent := func(format string, args ...any) Result {
		r := votes[0].Result
		r.Verdict, r.Reason, r.Record = matrix.Missing, fmt.Sprintf(format, args...), nil
		return r
	}
	for _, v := range count {
		if v.state == broken && said[v.words] >= p.Agree {
			return v.Result
		}
	}
	for _, v := range count {
		if v.state == holds {
			return v.Result
		}
	}
	switch {
	case len(count) > 0:
		return silent("%d of %s failed so, and the policy wants %d: %s", said[count[0].words], number(len(votes), "run"), p.Agree, strings.SplitN(count[0].Reason, "\n", 2)[0])
	case strange != nil:
		return strange.Result
	case old != nil:
		return silent("its answer is of %s, and the policy allows %d days: save a newer run", old.given.UTC().Format(time.DateOnly), p.MaxAgeDays)
	}
	return votes[0].Result
}
