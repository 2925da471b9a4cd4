// Package journal is the append-only memory of a run: one NDJSON line per
// finished check, flushed before the next check starts, so that a killed run
// loses nothing it had answered.
package journal

import (
	"errors"
	"fmt"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// Epoch is raised when checks or hosts change in a way that makes answers of before no
// measure for answers of after. Answers of two epochs are never compared.
const Epoch = 1

// Record is one line of the journal: the answer to one planned check.
type Record struct {
	// Plan is the hash of the plan that asked.
	Plan    string         `json:"plan"`
	Cell    string         `json:"cell"`
	Check   string         `json:"check"`
	Tier    matrix.Tier    `json:"tier"`
	Verdict matrix.Verdict `json:"verdict"`
	// Layer is where it failed; empty for a pass.
	Layer matrix.Layer `json:"layer,omitempty"`
	// Reason is the failure, or why the check was not run, in words.
	Reason string `json:"reason,omitempty"`
	// BlockedBy names the check whose failure blocked this one.
	BlockedBy string `json:"blocked_by,omitempty"`
	// Started is when the check began, in UTC; Seconds how long it took.
	Started time.Time `json:"started"`
	Seconds float64   `json:"seconds"`
	// GuestSeconds is the part of Seconds spent waiting for L1 or L2.
	GuestSeconds float64 `json:"guest_seconds"`
	// Attempts is 1, or 2 when the first attempt ended in INFRA.
	Attempts int `json:"attempts"`
	// Stalls counts the attempts that failed in a way of which the L0 emulator may be
	// the cause.
	Stalls int `json:"stalls,omitempty"`
	// Said holds L2's own words as it reported them, if the check used one.
	Said []string `json:"said,omitempty"`
	// Notes are facts worth keeping that decide nothing.
	Notes []string `json:"notes,omitempty"`
	// Evidence is the folder of the evidence bundle, relative to the run.
	Evidence string `json:"evidence,omitempty"`
	// Repeat is the command that runs this check alone on this cell.
	Repeat string `json:"repeat,omitempty"`
	// Harness is the revision of virtmatrix that gave the answer, and Epoch that of the
	// checks.
	Harness string `json:"harness"`
	Epoch   int    `json:"epoch,omitempty"`
	// Accelerators by layer: {"L1": "tcg", "L2": "kvm"}.
	Accelerators map[string]string `json:"accelerators,omitempty"`
	// Emulator is the L0 emulator that ran L1, with its package version.
	Emulator string `json:"emulator,omitempty"`
	// Client is the version of libvirt's client library on L0, which made the calls.
	Client string `json:"client,omitempty"`
	// Quirks are adaptations of the product that were applied to this host.
	Quirks []string `json:"quirks,omitempty"`
	// PackageSets are the keys of the plan's package sets in this cell, by role.
	PackageSets map[string]string `json:"package_sets,omitempty"`
	// Cached is set when the answer was given before, to the same question. Then
	// nothing was run, and Started and Seconds are of looking it up.
	Cached *Cached `json:"cached,omitempty"`
}

// Cached tells where an answer out of the cache of verdicts comes from.
type Cached struct {
	// Run is the name of the run that gave it, Time when its check began there,
	// in UTC, and Seconds how long it took.
	Run     string    `json:"run"`
	Time    time.Time `json:"time"`
	Seconds float64   `json:"seconds"`
	// Harness is the revision of virtmatrix that gave it.
	Harness string `json:"harness"`
	// Key is the hash of everything that can influence the answer.
	Key string `json:"key"`
}

// Ask begins the record of a check's answer: what is known before it is given.
func Ask(plan *matrix.Plan, c *matrix.Cell, check matrix.PlannedCheck) Record {
	sets := map[string]string{}
	for _, img := range c.Images {
		sets[img.Role] = img.Packages
	}
	return Record{
		Plan: plan.Hash, Cell: c.ID, Check: check.ID, Tier: check.Tier,
		Started: time.Now().UTC(), PackageSets: sets, Epoch: Epoch,
		Repeat: fmt.Sprintf("bin/virtmatrix repro %s %s", c.ID, check.ID),
	}
}

// End makes the record that of a check which ended with an error, or held without one.
func (r *Record) End(err error) {
	r.Verdict, r.Layer = fault.Classify(err)
	r.Reason = ""
	if err == nil {
		return
	}
	r.Reason = err.Error()
	var unmet *fault.Unmet
	if r.Verdict == matrix.Blocked && errors.As(err, &unmet) {
		r.BlockedBy = unmet.Check
	}
}

// Answers says whether the record is an answer of the plan that a resumed run
// need not seek again. Our own faults, and checks that were not run, are none.
func (r *Record) Answers(plan *matrix.Plan) bool {
	return r.Plan == plan.Hash && r.Verdict != matrix.Infra && r.Verdict != matrix.Blocked
}

// Answers are verdicts by cell and check.
type Answers map[string]map[string]matrix.Verdict

// Answered collects what of a plan is answered.
func Answered(plan *matrix.Plan, records []Record) Answers {
	all := Answers{}
	for i := range records {
		r := &records[i]
		if !r.Answers(plan) {
			continue
		}
		if all[r.Cell] == nil {
			all[r.Cell] = map[string]matrix.Verdict{}
		}
		all[r.Cell][r.Check] = r.Verdict
	}
	return all
}
