package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/journal"
	"github.com/virtmatrix/virtmatrix/internal/rundir"
	"github.com/virtmatrix/virtmatrix/internal/store/disk"
	"github.com/virtmatrix/virtmatrix/internal/verdict"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// What the product and we ourselves do wrong, classified as the suites do it.
var (
	badRestore = fault.Productf(matrix.LayerManagement, "restore domain", "internal error: migration stream has unknown section")
	badExit    = fault.Productf(matrix.LayerHypervisor, "start domain", "the emulator ended with status 3")
	fullDisk   = fault.Infraf("save domain", "%w", disk.Explain(syscall.ENOSPC, os.TempDir()))
)

// faults are all that are planted: first none, then what product and machine do, the
// suites, journals and plans, rules, what a baseline decides, and shards.
var faults = slices.Concat(productFaults, ownFaults, journalFaults, ruleFaults, flakeFaults, changeFaults, shardFaults)

var productFaults = []planted{
	{"nothing", func(*site) {}, "PASS", "", 0, "tagged now, it goes out"},
	{"a plan that leaves combinations out", func(*site) {}, "PASS", "", 0, "the plan leaves out"},
	{"an emulator that is broken", ends(badExit), "FAIL", matrix.LayerHypervisor, 1, "1 FAIL: O-SAVE on kvm_"},
	{"a wrong error code", ends(fault.Productf(matrix.LayerManagement, "look up a domain that is gone", "want error 42, got 1")), "FAIL", matrix.LayerManagement, 1, "1 FAIL"},
	{"a guest that does not come back", ends(fault.Productf(matrix.LayerL2, "restore domain", "its ticks stopped")), "FAIL", matrix.LayerL2, 1, "1 FAIL"},
	{"a lost event", ends(fault.Productf(matrix.LayerManagement, "wait for event SUSPENDED", "none came")), "FAIL", matrix.LayerManagement, 1, "1 FAIL"},
	{"a kernel that panics at boot", func(s *site) {
		s.boot(fault.Productf(matrix.LayerKernel, "boot host", "its console says %q", "Kernel panic - not syncing"))
	}, "BLOCKED", matrix.LayerKernel, 1, " BLOCKED: "},
	{"packages that cannot be installed", ends(&fault.Unmet{What: "packages that can be installed", Check: matrix.RefusedCheck, Err: fault.Productf(matrix.LayerDelivery, "install", "libvirt0 is not there")}), "BLOCKED", matrix.LayerDelivery, 1, "1 BLOCKED: O-SAVE"},
	{"a version that stalls its hosts", stalls(accelerated(map[string]string{"L1": "tcg"})), "PASS", "", 1, "libvirt 11.3"},
	{"a check that passes at the second try, too often", func(s *site) {
		s.its().Attempts, s.policy = 2, "block_on: [FAIL]\nmax_retried: 0\n"
	}, "PASS", "", 1, "1 passed only at a second try: O-SAVE on kvm_"},
	{"a check that passes at the second try, as the policy allows", func(s *site) {
		s.its().Attempts, s.policy = 2, "block_on: [FAIL]\nmax_retried: 1\n"
	}, "PASS", "", 0, "1 passed only at a second try"},
	{"a check that passes at the second try", func(s *site) { s.its().Attempts = 2 }, "PASS", "", 0, "1 passed only at a second try"},
}

var ownFaults = []planted{
	{"a boot that hangs on a starved machine", func(s *site) {
		s.boot(fault.Infraf("boot host on a starved machine", "it had no processor"))
	}, "INFRA", matrix.LayerHarness, 2, "INFRA"},
	{"a full disk", ends(fullDisk), "INFRA", matrix.LayerHarness, 2, "1 INFRA: O-SAVE on kvm_"},
	{"a combination that has no answer", ends(fullDisk), "INFRA", matrix.LayerHarness, 2, "without an answer, counted by check"},
	{"an error that nobody classified", ends(errors.New("broken pipe")), "INFRA", matrix.LayerHarness, 2, "1 INFRA"},
	{"a fault of ours beside one of the product", ends(errors.Join(badRestore, fullDisk)), "INFRA", matrix.LayerHarness, 2, "1 INFRA"},
	{"a failure and a fault of ours in one run", func(s *site) {
		s.its().End(fullDisk)
		s.answer(s.before, s.check).End(badRestore)
	}, "INFRA", matrix.LayerHarness, 1, "1 FAIL: O-SAVE"},
	{"a check blocked by what gave no answer", func(s *site) {
		s.its().End(&fault.Unmet{What: "a running guest", Check: "O-START", Err: badExit})
		s.answer(s.cell, "O-START").End(fullDisk)
	}, "BLOCKED", matrix.LayerHypervisor, 2, "BLOCKED by what gave no answer itself"},
	{"a check blocked by one that has no result", func(s *site) {
		s.its().End(&fault.Unmet{What: "a running guest", Check: "O-START", Err: badExit})
		s.loses(s.cell, "O-START")
	}, "BLOCKED", matrix.LayerHypervisor, 2, "BLOCKED by what gave no answer itself"},
	{"a check blocked by the harness", blockedByUs, "BLOCKED", matrix.LayerHarness, 2, "BLOCKED by what gave no answer itself"},
	{"a machine that stalls its hosts", func(s *site) {
		r := s.its()
		r.Attempts, r.Stalls, s.policy = 2, 1, "block_on: [FAIL]\nmax_stalls: 0\n"
	}, "PASS", "", 2, "stalled and no version explains it"},
	{"a machine that stalls its hosts now and then", stalls(func(s *site, r *journal.Record) bool { return r.Check == "O-START" || r.Check == "O-RESET" }), "PASS", "", 0, "SHIP"},
	{"stalls where L1 has KVM", stalls(accelerated(map[string]string{"L1": "kvm"})), "PASS", "", 0, "SHIP"},
	{"stalls where L1 is a container", stalls(accelerated(nil)), "PASS", "", 0, "SHIP"},
	{"a suite that skips a check by itself", func(s *site) {
		s.its().Verdict, s.its().Reason = matrix.Unsupported, "not today"
	}, "MISSING", "", 2, "1 MISSING: O-SAVE"},
	{"a missing result", func(s *site) { s.loses(s.cell, s.check) }, "MISSING", "", 2, "1 MISSING: O-SAVE"},
	{"a combination whose result is missing", func(s *site) { s.loses(s.cell, s.check) }, "MISSING", "", 2, "without an answer, counted by check"},
	{"a cell that nobody asked", func(s *site) {
		s.lose(func(r *journal.Record) bool { return r.Cell == s.cell.ID })
	}, "MISSING", "", 2, "1 cell without any result"},
	{"a cell to which nothing applies", another(matrix.PlannedCheck{ID: "O-SAVE", Unsupported: "needs two hosts"}), "PASS", "", 0, "SHIP"},
	{"a cell that nobody asked, to which not all applies", another(matrix.PlannedCheck{ID: "O-SAVE", Unsupported: "needs two hosts"}, matrix.PlannedCheck{ID: "O-START"}), "PASS", "", 2, "1 cell without any result"},
	{"a cell without checks", another(), "PASS", "", 2, "1 cell without any result"},
	{"a baseline of a delivery, asked nothing itself", twins("static/delivery", true), "PASS", "", 0, "SHIP"},
	{"a baseline of another check's cell, asked nothing itself", twins("static/guests", true), "PASS", "", 2, "1 cell without any result"},
	{"a delivery without an answer", twins("static/delivery", false), "PASS", "", 2, "2 cells without any result"},
	{"a bad signature, so that nothing was run", func(s *site) { s.answers = nil }, "MISSING", "", 2, "no check was executed"},
	{"nothing but faults of ours", func(s *site) {
		for i := range s.answers {
			s.answers[i].End(fullDisk)
		}
	}, "INFRA", matrix.LayerHarness, 2, "no check was executed"},
	{"a plan of nothing", func(s *site) { s.plan.Cells, s.answers = nil, nil }, "", "", 2, "the plan has no cells"},
	{"a kept answer that was edited", func(s *site) {
		s.keeps(func(text []byte) []byte { return bytes.Replace(text, []byte(`"v1"`), []byte(`"v2"`), 1) })
	}, "MISSING", "", 2, "1 MISSING: O-SAVE"},
	{"a kept answer", func(s *site) { s.keeps(func(text []byte) []byte { return text }) }, "PASS", "", 0, "SHIP"},
	{"a kept answer where everything is to be asked", func(s *site) {
		s.its().Cached, s.options.Fresh = &journal.Cached{Run: "earlier", Key: "c0de"}, true
	}, "MISSING", "", 2, "1 MISSING: O-SAVE"},
	{"answers of two revisions", func(s *site) { s.its().Harness = "v2" }, "PASS", "", 0, "2 revisions of virtmatrix"},
}

var journalFaults = []planted{
	{"a process that was killed while it wrote", func(s *site) {
		spoils(func(text []byte) []byte { return text[:bytes.Index(text, []byte(s.cell.ID+`","check":"O-SAVE"`))] })(s)
	}, "MISSING", "", 2, "the line ends in the middle"},
	{"a journal that was cut off", spoils(func(text []byte) []byte { return text[:bytes.LastIndex(text, []byte(`{"sum"`))] }), "PASS", "", 0, "the journal ends early"},
	{"a failure that was edited into a pass", func(s *site) {
		s.its().End(badRestore)
		spoils(func(text []byte) []byte {
			return bytes.Replace(text, []byte(`"FAIL","layer":"L1 management"`), []byte(`"PASS"`), 1)
		})(s)
	}, "MISSING", "", 2, "the journal is not as it was written"},
	{"a line that was removed", spoils(func(text []byte) []byte { return text[bytes.IndexByte(text, '\n')+1:] }), "PASS", "", 2, "the journal is not as it was written"},
	{"an answer of another plan", strays(func(s *site, r *journal.Record) { r.Plan = "another" }), "MISSING", "", 2, "1 record of the journal answer no question of this plan"},
	{"an answer of a cell that is not planned", strays(func(s *site, r *journal.Record) { r.Cell += "x" }), "MISSING", "", 2, "the plan has no such cell"},
	{"an answer to a check that is not planned", strays(func(s *site, r *journal.Record) { r.Check = "O-LIST" }), "MISSING", "", 2, "the plan does not ask this of the cell"},
	{"an answer of another tier", strays(func(s *site, r *journal.Record) { r.Tier = matrix.Container }), "MISSING", "", 2, "it was answered on the tier"},
	{"an answer to what does not apply", strays(func(s *site, r *journal.Record) { s.planned(s.cell, s.check).Unsupported = "needs two hosts" }), "UNSUPPORTED", "", 2, "the plan says that the check does not apply"},
	{"an answer that another cell was to give", strays(func(s *site, r *journal.Record) {
		r.Cell, r.Check, s.check, s.look = s.before.ID, "IQ-QMP", "IQ-QMP", s.before
		r.PackageSets = nil
	}), "PASS", "", 2, "the plan asks this of"},
	{"a question that was left to a cell which has no answer", func(s *site) {
		s.check, s.look = "IQ-QMP", s.before
		s.loses(s.cell, s.check)
	}, "MISSING", "", 2, "1 MISSING: IQ-QMP"},
	{"a question that was left to a cell which is not asked", func(s *site) {
		s.check, s.look = "IQ-QMP", s.before
		s.planned(s.before, s.check).AskedIn = "kvm_nowhere"
	}, "MISSING", "", 2, "1 MISSING: IQ-QMP"},
	{"a question that was left to a cell which it does not apply to", func(s *site) {
		s.check, s.look = "IQ-QMP", s.before
		s.planned(s.cell, s.check).Unsupported = "needs two hosts"
		s.loses(s.cell, s.check)
	}, "MISSING", "", 2, "1 MISSING: IQ-QMP"},
	{"two cells that leave a question to each other", func(s *site) {
		s.check, s.look = "IQ-QMP", s.before
		s.planned(s.cell, s.check).AskedIn = s.before.ID
		s.loses(s.cell, s.check)
	}, "MISSING", "", 2, "1 MISSING: IQ-QMP"},
	{"a suite that says what does not apply", func(s *site) {
		s.its().Verdict = matrix.Unsupported
		s.planned(s.cell, s.check).Unsupported = "needs two hosts"
	}, "UNSUPPORTED", "", 0, "1 do not apply"},
	{"a clock that was set back", func(s *site) {
		failed := *s.its()
		failed.Started = failed.Started.AddDate(0, 0, -1)
		failed.End(badRestore)
		s.answers = append(s.answers, failed)
	}, "FAIL", matrix.LayerManagement, 1, "1 FAIL: O-SAVE"},
	{"a pass after a fault of ours", func(s *site) {
		first := *s.its()
		first.End(fullDisk)
		s.answers = slices.Insert(s.answers, 0, first)
	}, "PASS", "", 0, "1 passed only at a second try"},
	{"a plan that was edited", func(s *site) {
		s.spoil = func(d *rundir.Dir) error {
			return edit(d.Plan(), func(text []byte) []byte { return bytes.Replace(text, []byte("O-SAVE"), []byte("O-SAVF"), 1) })
		}
	}, "", "", 2, "it was edited after planning"},
}

// ends has the check end with an error.
func ends(err error) func(*site) { return func(s *site) { s.its().End(err) } }

// another has the plan have a cell more, of which nobody asked anything.
func another(checks ...matrix.PlannedCheck) func(*site) {
	return func(s *site) {
		c := *s.cell
		c.ID, c.Checks = c.ID+"_another", checks
		s.plan.Cells = append(s.plan.Cells, c)
	}
}

// twins adds a cell that is asked one check of a family, and its baseline, which is asked
// none.
func twins(family string, answered bool) func(*site) {
	return func(s *site) {
		check := matrix.PlannedCheck{ID: "D-UPGRADE", Family: family, Tier: s.cell.Tier, Hosts: matrix.Hosts{None: true}}
		was, now := *s.cell, *s.cell
		was.ID, was.Checks, was.Baseline = s.cell.ID+"_was", nil, ""
		now.ID, now.Checks, now.Baseline = s.cell.ID+"_now", []matrix.PlannedCheck{check}, was.ID
		s.plan.Cells = append(s.plan.Cells, was, now)
		if answered {
			s.answers = append(s.answers, pass(s.plan, &now, check, judgedAt.Add(-time.Minute)))
		}
	}
}

// blockedByUs has the check called off.
func blockedByUs(s *site) {
	r := s.its()
	r.Verdict, r.Layer, r.Reason = matrix.Blocked, matrix.LayerHarness, "called off"
}

// stalls has some answers given at the second try, because the host stalled at the first.
func stalls(those func(*site, *journal.Record) bool) func(*site) {
	return func(s *site) {
		for i := range s.answers {
			if r := &s.answers[i]; those(s, r) {
				r.Attempts, r.Stalls = 2, 1
			}
		}
	}
}

// accelerated are the answers of candidates, where all hosts run so.
func accelerated(by map[string]string) func(*site, *journal.Record) bool {
	return func(s *site, r *journal.Record) bool {
		r.Accelerators = by
		return s.plan.Cell(r.Cell).Baseline != ""
	}
}

// boot has the hosts of the candidate end at boot.
func (s *site) boot(err error) {
	for _, p := range s.cell.Checks {
		switch {
		case p.Boot:
			s.answer(s.cell, p.ID).End(err)
		case p.Asked():
			s.answer(s.cell, p.ID).End(&fault.Unmet{What: "a host that boots", Check: s.cell.Checks[0].ID, Err: err})
		}
	}
}

// keeps has the answer come out of the cache, in which something happened to it.
func (s *site) keeps(do func([]byte) []byte) {
	r := *s.its()
	dir, err := os.MkdirTemp("", "virtmatrix-kept-")
	if err != nil {
		panic(fmt.Sprintf("cannot keep an answer: %v", err))
	}
	defer os.RemoveAll(dir)
	const key = "c0dec0de"
	kept := verdict.In(dir)
	err = kept.Put(key, r, "earlier")
	if paths, _, oldErr := kept.Old(0); len(paths) == 1 {
		err = errors.Join(err, oldErr, edit(paths[0], do))
	}
	if err != nil {
		panic(fmt.Sprintf("cannot keep an answer: %v", err))
	}
	entry, err := kept.Get(key)
	if err != nil {
		s.loses(s.cell, s.check) // it is asked anew, and was not
		return
	}
	*s.its() = entry.Record
	s.its().Cached = &journal.Cached{Run: entry.Run, Key: key}
}

// spoils does something to the text of the journal.
func spoils(do func([]byte) []byte) func(*site) {
	return func(s *site) {
		s.spoil = func(d *rundir.Dir) error { return edit(d.Path("journal-1.ndjson"), do) }
	}
}

func edit(path string, do func([]byte) []byte) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	after := do(slices.Clone(text))
	return os.WriteFile(path, after, 0o644)
}

// strays makes the answer one to nothing that is planned.
func strays(do func(*site, *journal.Record)) func(*site) {
	return func(s *site) { do(s, s.its()) }
}
