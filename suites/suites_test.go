// Package suites runs a plan: one Ordered container for each cell, one spec for
// each check that the plan asks of it.
//
// `virtmatrix run` makes the plan and judges the answers; `ginkgo run ./suites`
// alone runs the default profile in the same way and fails when a check does.
package suites

import (
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
	_ "github.com/virtmatrix/virtmatrix/internal/headers" // says what is missing
	"github.com/virtmatrix/virtmatrix/internal/journal"
	"github.com/virtmatrix/virtmatrix/internal/owner"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/cell"
	"github.com/virtmatrix/virtmatrix/suites/inbound"
	"github.com/virtmatrix/virtmatrix/suites/outbound"
)

// memoryLimit is what a process of the suites tries to do with, in bytes: it is
// idle while hosts work, and memory is theirs. Its children do without the limit.
const memoryLimit = 24 << 20

func TestSuites(t *testing.T) {
	if testing.Short() {
		t.Skip("cells boot virtual machines; leave -short out to run the plan")
	}
	owner.DieWithParent()
	debug.SetMemoryLimit(memoryLimit)
	gomega.RegisterFailHandler(ginkgo.Fail)
	s, err := open(ginkgo.GinkgoParallelProcess())
	if err != nil {
		t.Fatalf("virtmatrix: %v", err)
	}
	defer s.close()
	ginkgo.ReportAfterSuite("no host is left", func(ginkgo.Report) {
		gomega.Expect(s.driver.Left()).To(gomega.BeEmpty(), "folders of hosts that were not closed")
	})
	// Each process has read the plan for itself.
	ginkgo.SynchronizedBeforeSuite(
		func() []byte { return []byte(s.plan.Hash) },
		func(first []byte) { gomega.Expect(samePlan(string(first), s.plan)).To(gomega.Succeed()) },
	)
	if err := s.describeAll(); err != nil {
		t.Fatalf("virtmatrix: %v", err)
	}
	ginkgo.RunSpecs(t, "virtmatrix "+s.plan.Profile)
}

// samePlan says whether a process has the plan that the first process has:
// with two plans each would answer questions that the other never asked.
func samePlan(first string, own *matrix.Plan) error {
	if own.Hash != first {
		return fmt.Errorf("cannot run: process %d of the suite has the plan %.12s, the first has %.12s; the plan was replaced as the run began, run again",
			ginkgo.GinkgoParallelProcess(), own.Hash, first)
	}
	return nil
}

// bodies are the behaviours of all checks, by ID.
func bodies() (map[string]cell.Body, error) {
	all := maps.Clone(outbound.Checks)
	for id, body := range inbound.Checks {
		if _, twice := all[id]; twice {
			return nil, fmt.Errorf("cannot build suites: check %s has two bodies", id)
		}
		all[id] = body
	}
	return all, nil
}

// turn is when the i-th cell comes. Without a priority Ginkgo shuffles the cells,
// and sorts by name what it does not shuffle; with one, the processes take them in
// this order.
func turn(i int) ginkgo.SpecPriority { return ginkgo.SpecPriority(-i) }

// describeAll builds the specs of all cells, in their order.
func (s *suite) describeAll() error {
	for i, plan := range s.cells {
		if err := s.describe(plan, turn(i)); err != nil {
			return err
		}
	}
	return nil
}

// describe builds the specs of a cell. They stay on one process and in order,
// on one host as long as it is well.
func (s *suite) describe(plan *matrix.Cell, turn ginkgo.SpecPriority) error {
	all, err := bodies()
	if err != nil {
		return err
	}
	for _, p := range plan.Checks {
		if all[p.ID] == nil {
			return fmt.Errorf("cannot build suites: the plan asks for check %s, which no suite has", p.ID)
		}
	}
	ginkgo.Describe(plan.ID, turn, ginkgo.Ordered, ginkgo.ContinueOnFailure, ginkgo.Label(plan.ID), func() {
		c := cell.New(s.run, plan, s.answered[plan.ID])
		ginkgo.BeforeAll(func() { ginkgo.DeferCleanup(c.Discard) })
		for _, p := range plan.Checks {
			if rec, ok := s.cached[[2]string{plan.ID, p.ID}]; ok {
				ginkgo.It(p.ID+" "+p.Asserts, ginkgo.Label(p.ID), func() { report(rec) })
				continue
			}
			if !p.Asked() || s.answered[plan.ID][p.ID] != "" {
				continue
			}
			ginkgo.It(p.ID+" "+p.Asserts, ginkgo.Label(p.ID), func(ctx ginkgo.SpecContext) {
				rec, err := c.Answer(ctx, p, all[p.ID])
				gomega.Expect(err).NotTo(gomega.HaveOccurred())
				report(rec)
			})
		}
	})
	return nil
}

// report tells Ginkgo what the journal knows already.
func report(rec journal.Record) {
	if rec.Verdict == matrix.Pass {
		return
	}
	text := string(rec.Verdict)
	if rec.Layer != "" {
		text += " in " + string(rec.Layer)
	}
	ginkgo.Fail(text + ": " + rec.Reason)
}

// TestEveryCheckHasABody keeps the catalogue and the suites together.
func TestEveryCheckHasABody(t *testing.T) {
	cat, err := matrix.Default()
	if err != nil {
		t.Fatal(err)
	}
	all, err := bodies()
	if err != nil {
		t.Fatal(err)
	}
	var missing error
	for _, id := range cat.CheckIDs() {
		if all[id] == nil {
			missing = errors.Join(missing, errors.New(id+" is in the catalogue and in no suite"))
		}
		delete(all, id)
	}
	for id := range all {
		missing = errors.Join(missing, errors.New(id+" is in a suite and not in the catalogue"))
	}
	if missing != nil {
		t.Fatal(missing)
	}
}

// TestChecksAreBelowTheFolderOfTheirFamily keeps the cache of verdicts right: a
// check's answer is kept under the version of that package.
func TestChecksAreBelowTheFolderOfTheirFamily(t *testing.T) {
	cat, err := matrix.Default()
	if err != nil {
		t.Fatal(err)
	}
	for folder, checks := range map[string]map[string]cell.Body{"inbound": inbound.Checks, "outbound": outbound.Checks} {
		for id := range checks {
			if check, err := cat.Check(id); err != nil || !strings.HasPrefix(check.Family, folder+"/") {
				t.Errorf("%s is in %s, and its family is %v, %v", id, folder, check, err)
			}
		}
	}
}

func TestAProcessWithAnotherPlanRefuses(t *testing.T) {
	own := &matrix.Plan{Hash: "5eed"}
	if err := samePlan("5eed", own); err != nil {
		t.Errorf("the same plan is refused: %v", err)
	}
	err := samePlan("0ther", own)
	if err == nil || !strings.Contains(err.Error(), "5eed") || !strings.Contains(err.Error(), "0ther") {
		t.Errorf("got %v, want an error that names both plans", err)
	}
}
