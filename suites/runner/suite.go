package runner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/onsi/ginkgo/v2"
	"github.com/virtmatrix/virtmatrix/internal/journal"
	"github.com/virtmatrix/virtmatrix/internal/progress"
	"github.com/virtmatrix/virtmatrix/internal/run"
	"github.com/virtmatrix/virtmatrix/internal/rundir"
	"github.com/virtmatrix/virtmatrix/internal/source/tool"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// Suite is what one Ginkgo process works with.
type Suite struct {
	// Plan is what is asked, Cells its cells in the order of the run.
	Plan  *matrix.Plan
	Cells []*matrix.Cell

	dir     *rundir.Dir
	seed    uint64
	driver  *run.Driver
	run     *Run
	closers []func() error
	// answered are the verdicts of earlier processes of a run that goes on.
	answered journal.Answers
	// cached are answers out of the cache that nobody has told Ginkgo yet.
	cached map[[2]string]journal.Record
}

// Open takes over the run that `virtmatrix run` prepared, or prepares the
// default profile's.
func Open(process int) (_ *Suite, err error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("cannot boot hosts: mount namespaces and package installation need root; run with sudo")
	}
	cat, err := run.Catalog(os.Getenv(run.MatrixEnv), "")
	if err != nil {
		return nil, err
	}
	if err := tool.Require(run.Tools(cat)); err != nil {
		return nil, err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	s := &Suite{}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	var events progress.Sink
	if os.Getenv(rundir.Env) == "" {
		events, err = s.prepare(ctx, cat)
	} else {
		events, err = s.takeOver(process)
	}
	if err != nil {
		return s, err
	}
	return s, s.ready(ctx, cat, process, events)
}

// ready makes what the cells need that are still to be asked. Without any, Ginkgo
// is told of the answers that there are, and nothing else is needed.
func (s *Suite) ready(ctx context.Context, cat *matrix.Catalog, process int, events progress.Sink) error {
	options, err := s.dir.Options()
	if err != nil {
		return err
	}
	s.seed = options.Seed
	if s.done() {
		s.Cells, err = s.dir.Ordered(s.Plan)
		return err
	}
	return s.equip(ctx, cat, process, events)
}

// done says whether everything that the plan asks is answered.
func (s *Suite) done() bool {
	for _, c := range s.Plan.Cells {
		for _, p := range c.Checks {
			if p.Asked() && s.answered[c.ID][p.ID] == "" {
				return false
			}
		}
	}
	return true
}

// prepare plans the default profile, as `virtmatrix run` would.
func (s *Suite) prepare(ctx context.Context, cat *matrix.Catalog) (progress.Sink, error) {
	conf, _ := ginkgo.GinkgoConfiguration()
	if conf.ParallelTotal > 1 {
		return nil, errors.New("cannot share a plan between parallel processes without `virtmatrix run`; run it, or ginkgo without -p")
	}
	events, done := progress.Plain(os.Stderr)
	s.closers = append(s.closers, func() error { done(); return nil })
	var err error
	if s.driver, err = run.Open(run.Config{Events: events}); err != nil {
		return nil, err
	}
	if s.Plan, err = s.driver.Plan(ctx, cat, matrix.Request{Profile: matrix.DefaultProfile}); err != nil {
		return nil, err
	}
	root, err := run.ModuleRoot(ctx)
	if err != nil {
		return nil, err
	}
	if s.dir, err = rundir.New(filepath.Join(root, rundir.Default), s.Plan.Profile); err != nil {
		return nil, err
	}
	fmt.Fprintf(os.Stderr, "virtmatrix: the run is in %s; judge it with `bin/virtmatrix report`\n", s.dir.Path())
	// The options come first: a folder without a plan is no run.
	options, err := s.dir.AddOptions(rundir.Options{Fresh: os.Getenv(run.FreshEnv) != ""})
	if err != nil {
		return nil, err
	}
	if err := s.dir.WritePlan(s.Plan); err != nil || options.Fresh {
		return events, err
	}
	return events, s.recall(ctx, root)
}

// recall answers from the cache what it knows, as `virtmatrix run` does. Ginkgo is
// told of those answers as of others: a failure fails, wherever it comes from.
func (s *Suite) recall(ctx context.Context, root string) error {
	verdicts, err := s.driver.Verdicts(ctx, s.Plan, root)
	if err != nil {
		fmt.Fprintf(os.Stderr, "virtmatrix: %v\n", err)
		return nil
	}
	records, err := verdicts.Answer(s.dir, s.note)
	if err != nil {
		return err
	}
	s.recalled(records)
	fmt.Fprintf(os.Stderr, "virtmatrix: %d checks are answered from the cache; %s=1 asks again\n", len(records), run.FreshEnv)
	return nil
}

// recalled takes answers out of the cache as those that Ginkgo is to be told.
func (s *Suite) recalled(records []journal.Record) {
	s.answered, s.cached = journal.Answered(s.Plan, records), map[[2]string]journal.Record{}
	for _, rec := range records {
		s.cached[[2]string{rec.Cell, rec.Check}] = rec
	}
}

// note tells something about the whole run, here and in its report.
func (s *Suite) note(what error) {
	fmt.Fprintf(os.Stderr, "virtmatrix: %v\n", what)
	if err := s.dir.Note(what.Error()); err != nil {
		fmt.Fprintf(os.Stderr, "virtmatrix: %v\n", err)
	}
}

// takeOver opens the run that the environment names.
func (s *Suite) takeOver(process int) (progress.Sink, error) {
	var err error
	if s.dir, err = rundir.Open(os.Getenv(rundir.Env)); err != nil {
		return nil, err
	}
	if s.Plan, err = s.dir.ReadPlan(); err != nil {
		return nil, err
	}
	events, closeEvents, err := progress.File(s.dir.Progress(process))
	if err != nil {
		return nil, err
	}
	s.closers = append(s.closers, closeEvents)
	if s.driver, err = run.Open(run.Config{Events: events}); err != nil {
		return nil, err
	}
	if os.Getenv(run.ResumeEnv) != "" {
		records, _, err := run.Answers(s.dir)
		if err != nil {
			return nil, err
		}
		s.answered = journal.Answered(s.Plan, records)
	}
	return events, nil
}

// booter hands the driver's hosts to the families.
type booter struct{ *run.Hosts }

func (b booter) Reserve(ctx context.Context, c *matrix.Cell, want matrix.Hosts, tell func(why string)) (Place, error) {
	claim, err := b.Hosts.Reserve(ctx, c, want, tell)
	if err != nil {
		return nil, err
	}
	return claim, nil
}

// equip builds what is missing and opens the journal.
func (s *Suite) equip(ctx context.Context, cat *matrix.Catalog, process int, events progress.Sink) error {
	images, err := s.driver.Build(ctx, cat, s.Plan)
	if err != nil {
		return err
	}
	hosts, err := s.driver.Hosts(ctx, s.Plan, images)
	if err != nil {
		return err
	}
	s.closers = append(s.closers, hosts.Close)
	if s.Cells, err = ordered(s.dir, s.Plan, func(c *matrix.Cell) bool { return hosts.Restorable(c, matrix.Hosts{}) }); err != nil {
		return err
	}
	answers, err := journal.Open(s.dir.Path(), process)
	if err != nil {
		return err
	}
	s.closers = append(s.closers, answers.Close)
	recorder := &run.Recorder{Journal: answers, Dir: s.dir.Path(), Tell: s.note}
	selftest := os.Getenv(run.SelftestEnv) != ""
	if !selftest { // its answers are about the checks
		if recorder.Verdicts, err = hosts.Verdicts(ctx, s.Plan); err != nil {
			s.note(err)
		}
	}
	s.run = &Run{
		Plan: s.Plan, Dir: s.dir.Path(), Boot: booter{hosts}, Journal: recorder, Events: events,
		Deliver: func(ctx context.Context, cell *matrix.Cell) (steps.Deliveries, error) {
			return hosts.Delivery(ctx, cat, cell)
		},
		Accel: hosts.Accel().Accel, Scale: hosts.Accel().Scale,
		Emulator: "qemu " + hosts.Emulator().Version, Harness: run.Revision(ctx),
		Engine: run.Engine(ctx, s.Plan), Keep: os.Getenv(run.KeepEnv) != "", Selftest: selftest,
	}
	return nil
}

// ordered returns the cells in the order in which all processes of the run take
// them, which the first of them decides.
func ordered(dir *rundir.Dir, plan *matrix.Plan, restores func(*matrix.Cell) bool) ([]*matrix.Cell, error) {
	order := plan.Order(func(c *matrix.Cell) bool { return c.Tier == matrix.Nested && restores(c) })
	if err := dir.SettleOrder(order); err != nil {
		return nil, err
	}
	return dir.Ordered(plan)
}

// Close ends what Open began.
func (s *Suite) Close() {
	for i := len(s.closers) - 1; i >= 0; i-- {
		_ = s.closers[i]()
	}
}

// Discard ends the hosts that the last family of this process left.
func (s *Suite) Discard() { s.run.Discard() }

// Left are the folders of hosts that were not closed.
func (s *Suite) Left() []string { return s.driver.Left() }

// Unit is what one process works through in order: the checks that a cell is asked of
// one family, or one that has hosts of its own anyway.
type Unit struct {
	*Family
	Checks []matrix.PlannedCheck
	cached map[[2]string]journal.Record
}

// Units are those of the run, in the order in which they are to be taken: first what
// needs no host and is answered in seconds, then cell by cell, and in a cell the family
// of its boot first.
func (s *Suite) Units() []Unit {
	units := s.units()
	slices.SortStableFunc(units, func(a, b Unit) int { return cmp.Compare(a.order(), b.order()) })
	return units
}

// order is 0 for a unit that needs no host.
func (u Unit) order() int {
	if len(u.Checks) > 0 && u.Checks[0].Hosts.None {
		return 0
	}
	return 1
}

func (s *Suite) units() []Unit {
	var units []Unit
	for _, cell := range s.Cells {
		of := map[string]int{}
		for _, p := range shuffled(cell, s.seed) {
			if !p.Asked() {
				continue
			}
			i, ok := of[p.Unit()]
			if !ok {
				i = len(units)
				of[p.Unit()] = i
				units = append(units, Unit{Family: NewFamily(s.run, cell, p.Unit(), 0), cached: s.cached})
			}
			if s.answered[cell.ID][p.ID] != "" {
				units[i].done++
				if _, tell := s.cached[[2]string{cell.ID, p.ID}]; !tell {
					continue
				}
			}
			units[i].Checks = append(units[i].Checks, p)
		}
	}
	return units
}

// shuffled are the checks of a cell in the order that a seed gives them, the boot check first:
// each process has the same, also when the run goes on.
func shuffled(cell *matrix.Cell, seed uint64) []matrix.PlannedCheck {
	if seed == 0 {
		return cell.Checks
	}
	checks := slices.Clone(cell.Checks)
	rest := checks
	if len(rest) > 0 && rest[0].Boot {
		rest = rest[1:]
	}
	rnd := rand.New(rand.NewPCG(seed, uint64(crc32.ChecksumIEEE([]byte(cell.ID)))))
	rnd.Shuffle(len(rest), func(i, j int) { rest[i], rest[j] = rest[j], rest[i] })
	return checks
}

// Ask answers a check, from the cache if the answer is there.
func (u *Unit) Ask(ctx context.Context, p matrix.PlannedCheck) (journal.Record, error) {
	if rec, ok := u.cached[[2]string{u.Cell.ID, p.ID}]; ok {
		return rec, nil
	}
	c := check.Find(p.ID)
	if c == nil {
		return journal.Record{}, fmt.Errorf("cannot ask check %s: no suite has it; the plan is of another virtmatrix", p.ID)
	}
	return u.Answer(ctx, p, c)
}
