package suites

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/onsi/ginkgo/v2"
	"github.com/virtmatrix/virtmatrix/internal/journal"
	"github.com/virtmatrix/virtmatrix/internal/progress"
	"github.com/virtmatrix/virtmatrix/internal/run"
	"github.com/virtmatrix/virtmatrix/internal/rundir"
	"github.com/virtmatrix/virtmatrix/internal/source/tool"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/cell"
)

// suite is what one Ginkgo process works with.
type suite struct {
	dir    *rundir.Dir
	plan   *matrix.Plan
	driver *run.Driver
	run    *cell.Run
	// cells are the plan's, in the order of the run.
	cells   []*matrix.Cell
	closers []func() error
	// answered are the verdicts of earlier processes of a run that goes on.
	answered journal.Answers
	// cached are answers out of the cache that nobody has told Ginkgo yet.
	cached map[[2]string]journal.Record
}

// open takes over the run that `virtmatrix run` prepared, or prepares the
// default profile's.
func open(process int) (_ *suite, err error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("cannot boot hosts: mount namespaces and package installation need root; run with sudo")
	}
	if err := tool.Require(run.Tools()); err != nil {
		return nil, err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	s := &suite{}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	cat, err := run.Catalog(os.Getenv(run.MatrixEnv), "")
	if err != nil {
		return nil, err
	}
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
func (s *suite) ready(ctx context.Context, cat *matrix.Catalog, process int, events progress.Sink) (err error) {
	if s.done() {
		s.cells, err = s.dir.Ordered(s.plan)
		return err
	}
	return s.equip(ctx, cat, process, events)
}

// done says whether everything that the plan asks is answered.
func (s *suite) done() bool {
	for _, c := range s.plan.Cells {
		for _, p := range c.Checks {
			if p.Unsupported == "" && s.answered[c.ID][p.ID] == "" {
				return false
			}
		}
	}
	return true
}

// prepare plans the default profile, as `virtmatrix run` would.
func (s *suite) prepare(ctx context.Context, cat *matrix.Catalog) (progress.Sink, error) {
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
	if s.plan, err = s.driver.Plan(ctx, cat, matrix.Request{Profile: matrix.DefaultProfile}); err != nil {
		return nil, err
	}
	root, err := run.ModuleRoot(ctx)
	if err != nil {
		return nil, err
	}
	if s.dir, err = rundir.New(filepath.Join(root, rundir.Default), s.plan.Profile); err != nil {
		return nil, err
	}
	fmt.Fprintf(os.Stderr, "virtmatrix: the run is in %s; judge it with `bin/virtmatrix report`\n", s.dir.Path())
	// The options come first: a folder without a plan is no run.
	options, err := s.dir.AddOptions(rundir.Options{Fresh: os.Getenv(run.FreshEnv) != ""})
	if err != nil {
		return nil, err
	}
	if err := s.dir.WritePlan(s.plan); err != nil || options.Fresh {
		return events, err
	}
	return events, s.recall(ctx, root)
}

// recall answers from the cache what it knows, as `virtmatrix run` does. Ginkgo is
// told of those answers as of others: a failure fails, wherever it comes from.
func (s *suite) recall(ctx context.Context, root string) error {
	verdicts, err := s.driver.Verdicts(ctx, s.plan, root)
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
func (s *suite) recalled(records []journal.Record) {
	s.answered, s.cached = journal.Answered(s.plan, records), map[[2]string]journal.Record{}
	for _, rec := range records {
		s.cached[[2]string{rec.Cell, rec.Check}] = rec
	}
}

// note tells something about the whole run, here and in its report.
func (s *suite) note(what error) {
	fmt.Fprintf(os.Stderr, "virtmatrix: %v\n", what)
	if err := s.dir.Note(what.Error()); err != nil {
		fmt.Fprintf(os.Stderr, "virtmatrix: %v\n", err)
	}
}

// takeOver opens the run that the environment names.
func (s *suite) takeOver(process int) (progress.Sink, error) {
	var err error
	if s.dir, err = rundir.Open(os.Getenv(rundir.Env)); err != nil {
		return nil, err
	}
	if s.plan, err = s.dir.ReadPlan(); err != nil {
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
		s.answered = journal.Answered(s.plan, records)
	}
	return events, nil
}

// booter hands the driver's hosts to the cells.
type booter struct{ *run.Hosts }

func (b booter) Boot(ctx context.Context, c *matrix.Cell, logDir string) (cell.Host, error) {
	if c.Tier == matrix.Container {
		contained, err := b.Contain(ctx, c, logDir)
		if err != nil {
			return nil, err // and not a host that is nil inside
		}
		return contained, nil
	}
	vm, err := b.Hosts.Boot(ctx, c, logDir)
	if err != nil {
		return nil, err
	}
	return vm, nil
}

func (b booter) Admit(ctx context.Context, c *matrix.Cell, tell func(why string)) (cell.Place, error) {
	claim, err := b.Hosts.Admit(ctx, c, tell)
	if err != nil {
		return nil, err
	}
	return claim, nil
}

// equip builds what is missing and opens the journal.
func (s *suite) equip(ctx context.Context, cat *matrix.Catalog, process int, events progress.Sink) error {
	images, err := s.driver.Build(ctx, cat, s.plan)
	if err != nil {
		return err
	}
	hosts, err := s.driver.Hosts(ctx, s.plan, images)
	if err != nil {
		return err
	}
	s.closers = append(s.closers, hosts.Close)
	if s.cells, err = ordered(s.dir, s.plan, hosts.Restores); err != nil {
		return err
	}
	answers, err := journal.Open(s.dir.Path(), process)
	if err != nil {
		return err
	}
	s.closers = append(s.closers, answers.Close)
	keeper := &run.Keeper{Journal: answers, Dir: s.dir.Path(), Tell: s.note}
	if keeper.Verdicts, err = hosts.Verdicts(ctx, s.plan); err != nil {
		s.note(err)
	}
	s.run = &cell.Run{
		Plan: s.plan, Dir: s.dir.Path(), Boot: booter{hosts}, Journal: keeper, Events: events,
		Accel: hosts.Accel().Accel, Scale: hosts.Accel().Scale,
		Emulator: "qemu " + hosts.Emulator().Version, Harness: run.Revision(ctx),
		Engine: run.Engine(ctx, s.plan), Keep: os.Getenv(run.KeepEnv) != "",
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

func (s *suite) close() {
	for i := len(s.closers) - 1; i >= 0; i-- {
		_ = s.closers[i]()
	}
}
