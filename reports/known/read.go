package known

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/strict"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// Rules are the known issues and waivers that a run is judged with.
type Rules struct {
	Issues  []Issue
	Waivers []Waiver
}

// File is the text of a file of rules.
type File struct {
	Name string
	Text []byte
}

// version is the format of both files.
const version = 1

// Read reads known issues and waivers for a catalogue. What is malformed, unknown,
// overlapping or contradicting is an error that names file and line, all of them at
// once, and then there are no rules.
func Read(cat *matrix.Catalog, issues, waivers File) (*Rules, error) {
	var known struct {
		Version int     `yaml:"version"`
		Issues  []Issue `yaml:"issues"`
	}
	var waived struct {
		Version int      `yaml:"version"`
		Waivers []Waiver `yaml:"waivers"`
	}
	if err := errors.Join(decode(issues, &known, &known.Version), decode(waivers, &waived, &waived.Version)); err != nil {
		return nil, err
	}
	r := &Rules{known.Issues, waived.Waivers}
	return r, errors.Join(told(issues.Name, r.lintIssues(cat)), told(waivers.Name, r.lintWaivers(cat)))
}

func decode(f File, to any, found *int) error {
	if err := strict.Decode(f.Name, bytes.NewReader(f.Text), to); err != nil {
		return err
	}
	if *found != version {
		return fmt.Errorf("%s: its version is %d, and this virtmatrix reads %d", f.Name, *found, version)
	}
	return nil
}

// placed is a problem in a line.
type placed struct {
	line    int
	problem string
}

// told makes errors of problems, by line.
func told(file string, problems []placed) error {
	slices.SortStableFunc(problems, func(a, b placed) int { return cmp.Compare(a.line, b.line) })
	var errs []error
	for _, p := range problems {
		errs = append(errs, fmt.Errorf("%s:%d: %s", file, p.line, p.problem))
	}
	return errors.Join(errs...)
}

// tracker is a link, or a chapter of our own documents.
var tracker = regexp.MustCompile(`^(https://\S+|docs/[\w./-]+\.md(#[\w-]+)?)$`)

func (r *Rules) lintIssues(cat *matrix.Catalog) (problems []placed) {
	for n := range r.Issues {
		i := &r.Issues[n]
		say := func(format string, args ...any) {
			problems = append(problems, placed{i.ID.Line, fmt.Sprintf(format, args...)})
		}
		switch {
		case i.ID.Text == "":
			say("an issue has no id")
		case i.Says == "" || i.Owner == "" || i.Tracker == "" || i.Expires.IsZero():
			say("issue %s lacks says, tracker, owner or expires", i.ID.Text)
		case !tracker.MatchString(i.Tracker):
			say("the tracker of issue %s is no link: %q; want https://... or docs/FILE.md#CHAPTER", i.ID.Text, i.Tracker)
		case len(i.Checks) == 0 || len(i.Where) == 0:
			say("issue %s lacks checks or where; a rule about everything excuses everything", i.ID.Text)
		case (i.Text != nil) == (len(i.Lines) > 0):
			say("issue %s wants text or lines, one of them: a failure is not known by its place alone", i.ID.Text)
		}
		for _, w := range i.Checks {
			check, err := cat.Check(w.Text)
			if err != nil {
				problems = append(problems, placed{w.Line, err.Error()})
			} else if len(i.From) > 0 && check.Compares == "" {
				problems = append(problems, placed{w.Line, w.Text + " compares no versions, so there is nothing to come from"})
			}
		}
		problems = append(problems, append(i.Where.lint(cat), i.From.lint(cat)...)...)
		for o := range r.Issues[:n] {
			if why := i.against(&r.Issues[o]); why != "" {
				say("issue %s %s issue %s in line %d", i.ID.Text, why, r.Issues[o].ID.Text, r.Issues[o].ID.Line)
			}
		}
	}
	return problems
}

// against says how a rule and an earlier one cannot both stand, or "".
func (i *Issue) against(o *Issue) string {
	if i.ID.Text == o.ID.Text {
		return "has the name of"
	}
	shared := slices.ContainsFunc(i.Checks, func(a strict.Word) bool {
		return slices.ContainsFunc(o.Checks, func(b strict.Word) bool { return a.Text == b.Text })
	})
	if !shared || !i.Where.meet(o.Where) || !i.From.meet(o.From) {
		return ""
	}
	for _, a := range i.patterns() {
		if slices.Contains(o.patterns(), a) {
			if i.Intermittent != o.Intermittent {
				return "contradicts (one is intermittent)"
			}
			return "overlaps with"
		}
	}
	return ""
}

func (i *Issue) patterns() (all []string) {
	if i.Text != nil {
		all = append(all, i.Text.Text)
	}
	for _, p := range i.Lines {
		all = append(all, p.Text)
	}
	return all
}

// setKey is the key of a package set, or as much of it as reports show.
var setKey = regexp.MustCompile(`^[0-9a-f]{12,64}$`)

func (r *Rules) lintWaivers(cat *matrix.Catalog) (problems []placed) {
	for n := range r.Waivers {
		w := &r.Waivers[n]
		say := func(format string, args ...any) {
			problems = append(problems, placed{w.Cell.Line, fmt.Sprintf(format, args...)})
		}
		if w.Cell.Text == "" || w.Author == "" || w.Reason == "" || w.Expires.IsZero() || len(w.Packages) == 0 {
			say("the waiver lacks cell, packages, author, reason or expires")
		}
		if _, err := cat.Check(w.Check.Text); err != nil {
			say("%v", err)
		}
		for role, key := range w.Packages {
			if !setKey.MatchString(key.Text) {
				say("the packages of %s are %q; want the key of a package set, at least the 12 digits that virtmatrix why shows", role, key.Text)
			}
		}
		for o := range r.Waivers[:n] {
			if old := &r.Waivers[o]; w.Matches(old.Cell.Text, old.Check.Text, old.keys()) {
				say("the waiver is about the same failure as that in line %d", old.Cell.Line)
			}
		}
	}
	return problems
}

func (w *Waiver) keys() map[string]string {
	keys := map[string]string{}
	for role, key := range w.Packages {
		keys[role] = key.Text
	}
	return keys
}

// Furthest is how far ahead a rule may expire: who means longer looks again.
const Furthest = 366 * 24 * time.Hour

// Dated says which rules have expired, or expire too far ahead.
func (r *Rules) Dated(now time.Time) (problems []string) {
	say := func(what string, d Date) {
		switch {
		case d.Over(now):
			problems = append(problems, fmt.Sprintf("%s expired on %s; remove it, or look again and give it another day", what, d))
		case d.Sub(now) > Furthest:
			problems = append(problems, fmt.Sprintf("%s expires on %s, more than a year ahead", what, d))
		}
	}
	for _, i := range r.Issues {
		say("issue "+i.ID.Text, i.Expires)
	}
	for _, w := range r.Waivers {
		say("the waiver of "+w.Check.Text+" on "+w.Cell.Text, w.Expires)
	}
	return problems
}
