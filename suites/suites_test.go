// Package suites runs a plan: one Ordered container for each family of checks in each
// cell, one spec for each check that the cell is asked.
//
// `virtmatrix run` makes the plan and judges the answers; `ginkgo run ./suites`
// alone runs the default profile in the same way and fails when a check does.
package suites

import (
	"fmt"
	"path"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
	_ "github.com/virtmatrix/virtmatrix/internal/headers" // says what is missing
	"github.com/virtmatrix/virtmatrix/internal/journal"
	"github.com/virtmatrix/virtmatrix/internal/owner"
	"github.com/virtmatrix/virtmatrix/matrix"
	_ "github.com/virtmatrix/virtmatrix/suites/families"
	"github.com/virtmatrix/virtmatrix/suites/runner"
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
	s, err := runner.Open(ginkgo.GinkgoParallelProcess())
	if err != nil {
		t.Fatalf("virtmatrix: %v", err)
	}
	defer s.Close()
	ginkgo.ReportAfterSuite("no host is left", func(ginkgo.Report) {
		gomega.Expect(s.Left()).To(gomega.BeEmpty(), "folders of hosts that were not closed")
	})
	ginkgo.AfterSuite(s.Discard)
	// Each process has read the plan for itself.
	ginkgo.SynchronizedBeforeSuite(
		func() []byte { return []byte(s.Plan.Hash) },
		func(first []byte) { gomega.Expect(samePlan(string(first), s.Plan)).To(gomega.Succeed()) },
	)
	for i, u := range s.Units() {
		describe(u, turn(i))
	}
	ginkgo.RunSpecs(t, "virtmatrix "+s.Plan.Profile)
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

// turn is when the i-th family comes. Without a priority Ginkgo shuffles containers,
// and sorts by name what it does not shuffle; with one, the processes take them in
// this order.
func turn(i int) ginkgo.SpecPriority { return ginkgo.SpecPriority(-i) }

// describe builds the specs of a family of a cell. They stay on one process and in
// order, on the same hosts as long as they are well.
func describe(u runner.Unit, turn ginkgo.SpecPriority) {
	if len(u.Checks) == 0 {
		return
	}
	ginkgo.Describe(u.Cell.ID+" "+u.Name, turn, ginkgo.Ordered, ginkgo.ContinueOnFailure, ginkgo.Label(u.Cell.ID, path.Base(u.Name)), func() {
		ginkgo.BeforeAll(func() { ginkgo.DeferCleanup(u.Leave) })
		for _, p := range u.Checks {
			ginkgo.It(p.ID+" "+p.Asserts, ginkgo.Label(p.ID), func(ctx ginkgo.SpecContext) {
				rec, err := u.Ask(ctx, p)
				gomega.Expect(err).NotTo(gomega.HaveOccurred())
				report(rec)
			})
		}
	})
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
