package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/journal"
	"github.com/virtmatrix/virtmatrix/internal/rundir"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/reports"
)

// planted is a fault in a run, and what the judge must make of it.
type planted struct {
	name  string
	plant func(*site)
	// verdict is that of the check that is looked at, or what moved where runs are
	// compared; empty where nothing is judged.
	verdict string
	layer   matrix.Layer
	code    reports.Code
	// says is among the words for it.
	says string
}

// site is a run of a change that ships, to plant a fault in. Plan, journal and folder are
// made by the code that makes all of them.
type site struct {
	cat  *matrix.Catalog
	plan *matrix.Plan
	// cell is a candidate, before its baseline; check is the one that is looked at, in look.
	cell, before, look *matrix.Cell
	check              string
	answers            []journal.Record
	// policy, issues and waivers are texts of files; empty for the built-in policy, and for none.
	policy, issues, waivers string
	options                 rundir.Options
	// history is how the check ended in earlier runs, which were asked in a way.
	history []error
	way     map[string]string
	// spoil does something to what was stored.
	spoil func(*rundir.Dir) error
	// slow has the run stored several times.
	slow bool
	// verb is what judges; nil for gate. With one, what moved is looked at, and nothing
	// where look is nil.
	verb func(run string, by ruling) verb
}

type verb interface{ Run(*app) error }

// judgedAt is when planted runs are judged: on a Tuesday, as packages go out.
var judgedAt = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// newPlan plans a change that has all that a plan can have.
func newPlan(cat *matrix.Catalog) (*matrix.Plan, error) {
	change, err := matrix.ParseChange("libvirt=9.0..11.3")
	if err != nil {
		return nil, err
	}
	plan, err := matrix.New(cat, matrix.Request{
		Profile: matrix.ChangeProfile, Change: &change, Budget: 4,
		Checks: []string{"IQ-QMP", "O-CONN", "O-START", "O-SUSP", "O-RESET", "O-SAVE"},
	})
	if err != nil {
		return nil, err
	}
	plan.PackageSets = map[string]matrix.PackageSet{}
	for i := range plan.Cells {
		resolve(plan, &plan.Cells[i])
	}
	return plan, plan.Seal()
}

// newSite answers a plan that is stored.
func newSite(cat *matrix.Catalog, plan []byte) (s *site, err error) {
	s = &site{cat: cat, check: "O-SAVE"}
	if s.plan, err = matrix.ReadPlan(bytes.NewReader(plan)); err != nil {
		return nil, err
	}
	at := judgedAt.Add(-time.Hour)
	for i := range s.plan.Cells {
		c := &s.plan.Cells[i]
		if c.Kind == matrix.KVM && c.Baseline != "" {
			s.cell, s.look, s.before = c, c, s.plan.Cell(c.Baseline)
		}
		for _, p := range c.Checks {
			if p.Asked() {
				s.answers, at = append(s.answers, pass(s.plan, c, p, at)), at.Add(15*time.Second)
			}
		}
	}
	if s.cell == nil || s.before == nil {
		return nil, errors.New("cannot plant faults: the plan of a change has no candidate on KVM with its baseline")
	}
	return s, nil
}

// resolve gives a cell packages that no mirror was asked for.
func resolve(plan *matrix.Plan, c *matrix.Cell) {
	for n := range c.Stack {
		choice := &c.Stack[n]
		choice.Package = choice.Upstream() + ".0-1"
		set := matrix.PackageSet{Source: "apt", Release: choice.Release, Packages: []matrix.Package{{Name: string(choice.Component), Version: choice.Package, Arch: "amd64", SHA256: "00"}}}
		plan.PackageSets[set.Key()] = set
		if choice.Component == matrix.Libvirt {
			c.Images = []matrix.ImageRef{{Role: "userland-" + string(c.Kind), Release: choice.Release, Packages: set.Key()}}
		}
	}
}

func pass(plan *matrix.Plan, c *matrix.Cell, p matrix.PlannedCheck, at time.Time) journal.Record {
	r := journal.Ask(plan, c, p)
	r.Started, r.Seconds, r.GuestSeconds, r.Attempts, r.Harness = at, 10, 8, 1, "v1"
	r.Accelerators = map[string]string{"L1": "tcg", "L2": "kvm"}
	r.End(nil)
	return r
}

// answer is that of a check of a cell, which the plan must ask.
func (s *site) answer(c *matrix.Cell, check string) *journal.Record {
	for i := range s.answers {
		if r := &s.answers[i]; r.Cell == c.ID && r.Check == check {
			return r
		}
	}
	panic("no planted run is asked " + check + " of " + c.ID) // The tests plant each fault.
}

// its is the answer that is looked at.
func (s *site) its() *journal.Record { return s.answer(s.cell, s.check) }

// planned is a check as the plan has it.
func (s *site) planned(c *matrix.Cell, check string) *matrix.PlannedCheck {
	for i := range c.Checks {
		if c.Checks[i].ID == check {
			return &c.Checks[i]
		}
	}
	panic("no planted run has " + check + " of " + c.ID)
}

// lose drops the answers that some have.
func (s *site) lose(those func(*journal.Record) bool) {
	var kept []journal.Record
	for i := range s.answers {
		if !those(&s.answers[i]) {
			kept = append(kept, s.answers[i])
		}
	}
	s.answers = kept
}

// loses drops one answer.
func (s *site) loses(c *matrix.Cell, check string) {
	s.lose(func(r *journal.Record) bool { return r.Cell == c.ID && r.Check == check })
}

// store makes the run's folder.
func (s *site) store(runs string) (*rundir.Dir, error) {
	old := s.plan.Hash
	if err := s.plan.Seal(); err != nil {
		return nil, err
	}
	for i := range s.answers {
		if r := &s.answers[i]; r.Plan == old {
			r.Plan = s.plan.Hash
		}
	}
	d, err := s.write(runs, s.plan, s.answers)
	if err != nil || s.spoil == nil {
		return d, err
	}
	return d, s.spoil(d)
}

// write makes the folder of a run of a plan.
func (s *site) write(runs string, plan *matrix.Plan, answers []journal.Record) (*rundir.Dir, error) {
	d, err := rundir.New(runs, plan.Profile)
	if err != nil {
		return nil, err
	}
	if _, err := d.AddOptions(s.options); err != nil {
		return nil, err
	}
	if err := errors.Join(d.WriteWhole(s.plan), d.WritePlan(plan)); err != nil {
		return nil, err
	}
	for i := range answers {
		if r := &answers[i]; r.Verdict == matrix.Fail {
			r.Evidence = filepath.Join("cells", r.Cell, r.Check)
			if err := errors.Join(os.MkdirAll(d.Path(r.Evidence), 0o755), os.WriteFile(d.Path(r.Evidence, "reason.txt"), []byte(r.Reason), 0o644)); err != nil {
				return nil, err
			}
		}
	}
	w, err := journal.Open(d.Path(), 1)
	if err != nil {
		return nil, err
	}
	return d, errors.Join(w.AppendAll(answers), w.Close())
}

// rules stores what the run is judged by.
func (s *site) rules(d *rundir.Dir) (by ruling, err error) {
	by.At, by.History = judgedAt, d.Path("history")
	answers := slices.Clone(s.answers)
	defer func() { s.answers = answers }()
	for _, ended := range s.history {
		s.its().End(ended)
		if s.way != nil {
			s.its().Accelerators = s.way
		}
		if _, err := s.write(by.History, s.plan, s.answers); err != nil {
			return by, err
		}
	}
	for _, f := range []struct {
		path       *string
		name, text string
	}{
		{&by.Policy, "policy.yaml", s.policy}, {&by.Known, "known.yaml", "version: 1\nissues:\n" + s.issues}, {&by.Waivers, "waivers.yaml", "version: 1\nwaivers:\n" + s.waivers},
	} {
		if f.text != "" {
			*f.path = d.Path(f.name)
			err = errors.Join(err, os.WriteFile(*f.path, []byte(f.text), 0o644))
		}
	}
	return by, err
}
