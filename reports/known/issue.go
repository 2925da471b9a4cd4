// Package known reads what is known to fail and what is waived, as files that people
// review, and says which of it a failure is.
//
// A rule excuses as little as it can: it names checks, versions and the text of the
// failure, somebody owns it, and it ends by itself. What it does not name is new.
package known

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/virtmatrix/virtmatrix/internal/strict"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// Issue is a failure that is known: where it is seen and what it says.
type Issue struct {
	ID strict.Word `yaml:"id"`
	// Checks are those that see it.
	Checks []strict.Word `yaml:"checks"`
	// Where are conditions on the cell, From on the one that a check compares it with.
	Where Where `yaml:"where"`
	From  Where `yaml:"from"`
	// Text is found in the failure. Lines are for checks that list what they find, a line
	// each below the first: each pattern is a whole line, and a line that none has is new.
	Text  *Pattern  `yaml:"text"`
	Lines []Pattern `yaml:"lines"`
	// Says tells people what it is, Tracker where it is worked on, Owner who answers
	// for the rule.
	Says    string `yaml:"says"`
	Tracker string `yaml:"tracker"`
	Owner   string `yaml:"owner"`
	// Expires is the last day on which the rule excuses anything.
	Expires Date `yaml:"expires"`
	// Intermittent says that the check passes now and then, which fixes nothing.
	Intermittent bool `yaml:"intermittent"`
}

// Waiver lets one failure of exact packages ship.
type Waiver struct {
	Cell  strict.Word `yaml:"cell"`
	Check strict.Word `yaml:"check"`
	// Packages are the keys of the cell's package sets by role, all of them, or as much of
	// each as reports show.
	Packages map[string]strict.Word `yaml:"packages"`
	Author   string                 `yaml:"author"`
	Reason   string                 `yaml:"reason"`
	Expires  Date                   `yaml:"expires"`
}

// Pattern is a regular expression (RE2).
type Pattern struct {
	strict.Word
	re *regexp.Regexp
}

// UnmarshalYAML reads a pattern. One that every text has would excuse everything.
func (p *Pattern) UnmarshalYAML(n ast.Node) (err error) {
	if err := p.Word.UnmarshalYAML(n); err != nil {
		return err
	}
	if p.re, err = regexp.Compile(p.Text); err != nil {
		return strict.Wrong(n, "%v", err)
	}
	if p.re.MatchString("") || p.re.MatchString("\x00") {
		return strict.Wrong(n, "every failure has %q; name words of this one", p.Text)
	}
	return nil
}

// line says whether the pattern is a whole line.
func (p *Pattern) line(text string) bool {
	at := p.re.FindStringIndex(text)
	return at != nil && at[0] == 0 && at[1] == len(text)
}

// Date is a day, in UTC.
type Date struct{ time.Time }

// UnmarshalYAML reads "2027-05-31".
func (d *Date) UnmarshalYAML(n ast.Node) (err error) {
	if d.Time, err = time.Parse(time.DateOnly, n.GetToken().Value); err != nil {
		return strict.Wrong(n, "%q is no day; want one such as 2027-05-31", n.GetToken().Value)
	}
	return nil
}

// Over says whether the day has gone by.
func (d Date) Over(now time.Time) bool { return !now.Before(d.AddDate(0, 0, 1)) }

// String returns the day as files have it.
func (d Date) String() string { return d.Format(time.DateOnly) }

// Subject is what a rule is held against: a check of a cell.
type Subject struct {
	Check string
	Cell  *matrix.Cell
	// From is the cell that the check compares Cell with; nil if it compares nothing.
	From *matrix.Cell
	// L2 is the accelerator that guests had.
	L2 string
	// Source is the kind of repository of a release.
	Source func(release string) string
}

// Applies says whether the rule is about the check of the cell.
func (i *Issue) Applies(s Subject) bool {
	return slices.ContainsFunc(i.Checks, func(w strict.Word) bool { return w.Text == s.Check }) &&
		i.Where.holds(s, s.Cell) && i.From.holds(s, s.From)
}

// Explain says which of some rules a failure is, and which of its lines are new. With
// none new, the whole failure is known.
func Explain(reason string, issues []*Issue) (by []*Issue, fresh []string) {
	for _, i := range issues {
		if i.Text != nil && i.Text.re.MatchString(reason) {
			by = append(by, i)
		}
	}
	if len(by) > 0 {
		return by, nil
	}
	_, listed, _ := strings.Cut(strings.TrimSpace(reason), "\n")
	for line := range strings.SplitSeq(listed, "\n") {
		found := false
		for _, i := range issues {
			if i.has(line) {
				found = true
				if !slices.Contains(by, i) {
					by = append(by, i)
				}
			}
		}
		if !found {
			fresh = append(fresh, line)
		}
	}
	if len(by) == 0 {
		return nil, []string{reason}
	}
	return by, fresh
}

func (i *Issue) has(line string) bool {
	return slices.ContainsFunc(i.Lines, func(p Pattern) bool { return p.line(line) })
}

// Matches says whether the waiver is about a failure of exact packages.
func (w *Waiver) Matches(cell, check string, packages map[string]string) bool {
	if w.Cell.Text != cell || w.Check.Text != check || len(packages) != len(w.Packages) {
		return false
	}
	for role, key := range packages {
		if at := w.Packages[role].Text; at == "" || !strings.HasPrefix(key, at) {
			return false
		}
	}
	return true
}
