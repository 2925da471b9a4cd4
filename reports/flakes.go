package reports

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/strict"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/reports/known"
)

// FlakePolicy says from when on a check flakes, and which that do are quarantined.
type FlakePolicy struct {
	// Rate is the share of failures, on one cell with the same packages, above which a check
	// that also passes there flakes. Runs is how many of the newest runs are counted.
	Rate float64 `yaml:"rate"`
	Runs int     `yaml:"runs"`
	// Quarantined are checks whose flakes do not hold.
	Quarantined []Quarantine `yaml:"quarantined"`
}

// Quarantine lets the flakes of a check ship for a time.
type Quarantine struct {
	Check   strict.Word `yaml:"check"`
	Reason  string      `yaml:"reason"`
	Owner   string      `yaml:"owner"`
	Expires known.Date  `yaml:"expires"`
}

// check says what is wrong with the policy. The zero value quarantines nothing.
func (p FlakePolicy) check() error {
	switch {
	case p.Rate < 0 || p.Rate >= 1:
		return fmt.Errorf("flakes has the rate %g, want a share below 1", p.Rate)
	case p.Runs < 0 || len(p.Quarantined) > 0 && p.Runs == 0:
		return fmt.Errorf("flakes counts %d runs; want at least 1", p.Runs)
	}
	for _, q := range p.Quarantined {
		if q.Check.Text == "" || q.Reason == "" || q.Owner == "" || q.Expires.IsZero() {
			return fmt.Errorf("the quarantine of %q lacks check, reason, owner or expires", q.Check.Text)
		}
	}
	return nil
}

// Rate is how often a check passed at the first try, of all answers about the product.
type Rate struct {
	Passed int `json:"passed"`
	Asked  int `json:"asked"`
}

// confidence is the quantile of the normal distribution for intervals of 95 %.
const confidence = 1.96

// Interval is Wilson's for the share of passes, at 95 %: unlike the share with its standard
// error it holds for few answers, and near none and all of them.
func (r Rate) Interval() (low, high float64) {
	if r.Asked == 0 {
		return 0, 1
	}
	n := float64(r.Asked)
	p, z := float64(r.Passed)/n, confidence*confidence/n
	middle, half := p+z/2, confidence*math.Sqrt((p*(1-p)+z/4)/n)
	return max(0, (middle-half)/(1+z)), min(1, (middle+half)/(1+z))
}

// Flakes says whether the check passes and fails, and fails more often than a share: as far
// as so many answers tell.
func (r Rate) Flakes(above float64) bool {
	_, high := r.Interval()
	return r.Passed > 0 && 1-high > above
}

// String returns "passed in 17 of 20 (64 % to 95 %)".
func (r Rate) String() string {
	low, high := r.Interval()
	return fmt.Sprintf("passed in %d of %d (%.0f %% to %.0f %%)", r.Passed, r.Asked, 100*low, 100*high)
}

// Tally is what a run answered, by what was asked: of each cell, with its packages and the way
// in which it was asked, the checks that passed and those that did not, parted by spaces.
type Tally map[string]*Tallied

// Tallied are the checks of a cell, and the way in which they were asked.
type Tallied struct {
	Cell   string `json:"cell"`
	Way    string `json:"way"`
	Passed string `json:"passed,omitempty"`
	Failed string `json:"failed,omitempty"`
}

// Tally counts the answers that the run gave itself. A pass at the second try is none at the
// first.
func (m *Matrix) Tally() Tally {
	t := Tally{}
	for i := range m.Results {
		r := &m.Results[i]
		if r.Record == nil || r.Record.Cached != nil {
			continue
		}
		key := m.asked(r)
		if t[key] == nil {
			t[key] = &Tallied{Cell: r.Cell, Way: measure(r.Record)}
		}
		switch {
		case r.Verdict == matrix.Pass && !r.Retried():
			t[key].Passed += r.Check + " "
		case r.Verdict == matrix.Fail || r.Verdict == matrix.Known || r.Verdict == matrix.Pass:
			t[key].Failed += r.Check + " "
		}
	}
	return t
}

// asked is what a check was asked of: the cell, its packages, and in what way.
func (m *Matrix) asked(r *Result) string {
	words := []string{r.Cell, measure(r.Record)}
	for _, image := range m.Cell(r.Cell).Images {
		words = append(words, fmt.Sprintf("%.16s", image.Packages))
	}
	return strings.Join(words, " ")
}

// Question is a check and what it was asked of.
type Question struct{ Of, Cell, Check string }

// History is what earlier runs answered.
type History struct {
	// Rates are how often each question was answered, and how.
	Rates map[Question]Rate
	// Trails are the same, run after run. What they were asked of is the way alone.
	Trails map[Question]Trail
}

// NewHistory returns an empty one.
func NewHistory() History { return History{map[Question]Rate{}, map[Question]Trail{}} }

// Add counts the answers of a run; the older runs come first.
func (h History) Add(run string, t Tally) {
	for of, cell := range t {
		for i, checks := range []string{cell.Failed, cell.Passed} {
			for check := range strings.FieldsSeq(checks) {
				q := Question{of, cell.Cell, check}
				r := h.Rates[q]
				h.Rates[q] = Rate{r.Passed + i, r.Asked + 1}
				q.Of = cell.Way
				h.Trails[q] = append(h.Trails[q], Point{run, i == 1})
			}
		}
	}
}

// red says that the result is a failure, known or not.
func (r *Result) red() bool { return r.Verdict == matrix.Fail || r.Verdict == matrix.Known }

// Red says whether anything fails.
func (m *Matrix) Red() bool {
	return slices.ContainsFunc(m.Results, func(r Result) bool { return r.red() })
}

// Remember notes at each answer how often the same question was answered before, and at
// each failure how runs answered it that began before this one, as their names say.
func (m *Matrix) Remember(h History, run string) {
	for i := range m.Results {
		r := &m.Results[i]
		if r.Record == nil {
			continue
		}
		r.Rate = h.Rates[Question{m.asked(r), r.Cell, r.Check}]
		if r.red() {
			r.Trail = slices.DeleteFunc(slices.Clone(h.Trails[Question{measure(r.Record), r.Cell, r.Check}]), func(p Point) bool { return p.Run >= run })
		}
	}
}

// Quarantine lets failures ship that are flakes of a check in quarantine: of which earlier
// runs show that it passes and fails with the same packages.
func (m *Matrix) Quarantine(p FlakePolicy, now time.Time) {
	for _, q := range p.Quarantined {
		for i := range m.Results {
			r := &m.Results[i]
			if r.Check != q.Check.Text || r.Verdict != matrix.Fail || r.AskedIn != "" {
				continue
			}
			words := fmt.Sprintf("quarantined by %s until %s (%s): it %s earlier runs", q.Owner, q.Expires, q.Reason, r.Rate)
			switch {
			case q.Expires.Over(now):
				words = fmt.Sprintf("its quarantine expired on %s, and excuses nothing", q.Expires)
			case !r.Rate.Flakes(p.Rate):
				words += fmt.Sprintf(", which is no flake above %.0f %%, and excuses nothing", 100*p.Rate)
			default:
				r.Quarantined = true
			}
			r.Ruling = clip(strings.TrimPrefix(r.Ruling+"\n"+words, "\n"), shownText)
		}
	}
}
