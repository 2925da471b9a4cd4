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
	"github.com/virtmatrix/virtmatrix/internal/rundir"
	"github.com/virtmatrix/virtmatrix/internal/source/tool"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/cell"
	"github.com/virtmatrix/virtmatrix/suites/driver"
)

// suite is what one Ginkgo process works with.
type suite struct {
	dir    *rundir.Dir
	plan   *matrix.Plan
	driver *driver.Driver
	run    *cell.Run
	// cells are the plan's, in the order of the run.
	cells   []*matrix.Cell
	closers []func() error
	// answered are the verdicts of earlier processes of a run that is resumed,
	// by cell and check.
	answered map[string]map[string]matrix.Verdict
}

// open takes over the run that `virtmatrix run` prepared, or prepares the
// default profile's.
func open(process int) (_ *suite, err error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("cannot boot hosts: mount namespaces and package installation need root; run with sudo")
	}
	if err := tool.Require(driver.Tools()); err != nil {
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
	cat, err := driver.Catalog(os.Getenv(driver.MatrixEnv), "")
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
		return nil, err
	}
	return s, s.equip(ctx, cat, process, events)
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
	if s.driver, err = driver.Open(driver.Config{Events: events}); err != nil {
		return nil, err
	}
	if s.plan, err = s.driver.Plan(ctx, cat, matrix.Request{Profile: matrix.DefaultProfile, Seed: conf.RandomSeed}); err != nil {
		return nil, err
	}
	root, err := driver.ModuleRoot(ctx)
	if err != nil {
		return nil, err
	}
	if s.dir, err = rundir.New(filepath.Join(root, rundir.Default), s.plan.Profile); err != nil {
		return nil, err
	}
	fmt.Fprintf(os.Stderr, "virtmatrix: the run is in %s; judge it with `bin/virtmatrix report`\n", s.dir.Path())
	return events, s.dir.WritePlan(s.plan)
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
	if s.driver, err = driver.Open(driver.Config{Events: events}); err != nil {
		return nil, err
	}
	if os.Getenv(driver.ResumeEnv) != "" {
		s.answered, err = answers(s.dir, s.plan)
	}
	return events, err
}

// answers reads what a run has answered already.
func answers(dir *rundir.Dir, plan *matrix.Plan) (map[string]map[string]matrix.Verdict, error) {
	records, _, err := journal.Read(dir.Path())
	if err != nil {
		return nil, err
	}
	got := map[string]map[string]matrix.Verdict{}
	for _, r := range records {
		if !r.Answers(plan) {
			continue
		}
		if got[r.Cell] == nil {
			got[r.Cell] = map[string]matrix.Verdict{}
		}
		got[r.Cell][r.Check] = r.Verdict
	}
	return got, nil
}

// booter hands the driver's hosts to the cells.
type booter struct{ *driver.Hosts }

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
	s.run = &cell.Run{
		Plan: s.plan, Dir: s.dir.Path(), Boot: booter{hosts}, Journal: answers, Events: events,
		Accel: hosts.Accel().Accel, Scale: hosts.Accel().Scale,
		Emulator: "qemu " + hosts.Emulator().Version, Harness: driver.Revision(ctx),
		Engine: driver.Engine(ctx, s.plan), Keep: os.Getenv(driver.KeepEnv) != "",
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
