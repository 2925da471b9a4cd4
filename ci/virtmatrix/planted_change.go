package main

import (
	"errors"
	"slices"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// compares has the candidate held against its baseline.
func compares(plant func(*site)) func(*site) {
	return func(s *site) {
		plant(s)
		s.verb = func(run string, by ruling) verb {
			return &diffVerb{Runs: []string{run}, ruling: by, output: output{Format: "terminal"}}
		}
	}
}

// was and is have the baseline and the candidate end so.
func moves(was, is error) func(*site) {
	return compares(func(s *site) {
		s.answer(s.before, s.check).End(was)
		s.its().End(is)
	})
}

// tolerates gates by a policy that ships what the baseline has.
func tolerates(was, is error) func(*site) {
	return func(s *site) {
		moves(was, is)(s)
		s.verb, s.policy = nil, tolerant
	}
}

// inapplicable has the check not asked of a cell.
func (s *site) inapplicable(c *matrix.Cell) {
	s.loses(c, s.check)
	s.planned(c, s.check).Unsupported = "since libvirt 11.0"
}

// stored has the check fail, and holds the run against a stored baseline whose runs ended
// so, some days after they were made.
func stored(days int, was ...error) func(*site) {
	return func(s *site) {
		s.its().End(badRestore)
		s.look, s.slow = nil, true
		s.verb = func(run string, by ruling) verb {
			return verbFunc(func(a *app) error {
				for _, err := range was { // the oldest first
					s.its().End(err)
					for i := range s.answers {
						s.answers[i].Started = s.answers[i].Started.Add(time.Minute)
					}
					d, err := s.write(a.Runs, s.plan, s.answers)
					if err != nil {
						return err
					}
					if err := (&saveVerb{Name: "before", RunName: d.Path()}).Run(a); err != nil {
						return err
					}
				}
				by.At = by.At.AddDate(0, 0, days)
				err := (&diffVerb{Runs: []string{"before", run}, ruling: by, output: output{Format: "terminal"}}).Run(a)
				return errors.Join(err, (&dropVerb{Name: "before"}).Run(a))
			})
		}
	}
}

// sameWords is badRestore on another layer, badLook is other words on its layer, and unmet is
// what blocks a check.
var (
	sameWords = fault.Productf(matrix.LayerL2, "restore domain", "internal error: migration stream has unknown section")
	badLook   = fault.Productf(matrix.LayerManagement, "look up domain", "internal error: there is none")
	unmet     = &fault.Unmet{What: "a running guest", Check: "D-NONE", Err: badExit}
)

var changeFaults = []planted{
	{"a change that changes nothing", compares(func(*site) {}), "SAME", "", 0, "SAME"},
	{"a regression", moves(nil, badRestore), "REGRESSED", matrix.LayerManagement, 1, "1 REGRESSED"},
	{"a failure that the baseline has", moves(badRestore, badRestore), "STILL BROKEN", matrix.LayerManagement, 0, "1 STILL BROKEN"},
	{"a failure in other words than the baseline's", moves(badLook, badRestore), "REGRESSED", matrix.LayerManagement, 1, "it failed before in another way"},
	{"a failure in another layer than the baseline's", moves(sameWords, badRestore), "REGRESSED", matrix.LayerManagement, 1, "it failed before in another way"},
	{"a check that the baseline's plan lacks", compares(func(s *site) {
		s.loses(s.before, s.check)
		s.before.Checks = slices.DeleteFunc(s.before.Checks, func(p matrix.PlannedCheck) bool { return p.ID == s.check })
	}), "NEW", "", 0, "1 NEW"},
	{"a check that the product blocks", moves(nil, unmet), "REGRESSED", matrix.LayerHypervisor, 1, "1 REGRESSED"},
	{"a check that the harness blocks", compares(blockedByUs), "NO ANSWER", matrix.LayerHarness, 2, "1 NO ANSWER"},
	{"a candidate whose result is missing", compares(func(s *site) { s.loses(s.cell, s.check) }), "NO ANSWER", "", 2, "1 NO ANSWER"},
	{"a known issue that is fixed, held against the baseline", compares(ruled(nil)), "SAME", "", 0, "SAME"},
	{"a fault of ours in what the change cannot touch", compares(func(s *site) {
		s.check = "IQ-QMP"
		s.its().End(fullDisk)
	}), "NO ANSWER", matrix.LayerHarness, 2, "NO ANSWER"},
	{"a change of which the run has nothing", func(s *site) {
		s.look = nil
		s.verb = func(run string, by ruling) verb {
			return &diffVerb{Runs: []string{run, run}, Changed: "qemu=1.0..2.0", ruling: by, output: output{Format: "terminal"}}
		}
	}, "", "", 2, "nothing to compare"},
	{"a failure of the baseline alone", moves(badRestore, nil), "FIXED", "", 0, "1 FIXED"},
	{"a baseline without an answer", moves(fullDisk, badRestore), "NO ANSWER", matrix.LayerManagement, 2, "the baseline has no answer"},
	{"a candidate without an answer", moves(nil, fullDisk), "NO ANSWER", matrix.LayerHarness, 2, "1 NO ANSWER"},
	{"a baseline of another accelerator", compares(func(s *site) {
		s.answer(s.before, s.check).Accelerators = map[string]string{"L1": "kvm", "L2": "kvm"}
	}), "NO ANSWER", "", 2, "the baseline is of another accelerator"},
	{"a baseline of another epoch of the checks", compares(func(s *site) { s.answer(s.before, s.check).Epoch-- }), "NO ANSWER", "", 2, "another epoch of the checks"},
	{"a failure where there was no check", compares(func(s *site) { s.inapplicable(s.before); s.its().End(badRestore) }), "NEVER PASSED", matrix.LayerManagement, 1, "1 NEVER PASSED"},
	{"a pass where there was no check", compares(func(s *site) { s.inapplicable(s.before) }), "NEW", "", 0, "1 NEW"},
	{"a check that is asked no more", compares(func(s *site) { s.inapplicable(s.cell) }), "NO ANSWER", "", 2, "it is not asked any more"},
	{"a check that is asked on neither side", compares(func(s *site) { s.inapplicable(s.cell); s.inapplicable(s.before) }), "SAME", "", 0, "SAME"},
	{"a failure of what the change cannot touch", compares(func(s *site) {
		s.check = "IQ-QMP"
		s.its().End(badExit)
	}), "STILL BROKEN", matrix.LayerHypervisor, 0, "1 STILL BROKEN"},
	{"a failure that the baseline has, which the policy tolerates", tolerates(badRestore, badRestore), "FAIL", matrix.LayerManagement, 0, "STILL BROKEN (tolerated)"},
	{"a failure that the baseline has, which the policy does not tolerate", func(s *site) {
		moves(badRestore, badRestore)(s)
		s.verb = nil
	}, "FAIL", matrix.LayerManagement, 1, "2 FAIL, 1 finding"},
	{"a failure of the baseline, which the policy tolerates", tolerates(badRestore, nil), "PASS", "", 0, "STILL BROKEN (tolerated)"},
	{"a check that is blocked as in the baseline, which the policy tolerates", tolerates(unmet, unmet), "BLOCKED", matrix.LayerHypervisor, 0, "STILL BROKEN (tolerated)"},
	{"a known failure that the baseline has, where the policy holds it", func(s *site) {
		tolerates(badRestore, badRestore)(s)
		s.issues, s.policy = issue, "block_on: [FAIL, KNOWN]\ntolerate_still_broken: true\n"
	}, "KNOWN", matrix.LayerManagement, 1, "1 KNOWN"},
	{"a regression under a tolerant policy", tolerates(nil, badRestore), "FAIL", matrix.LayerManagement, 1, "1 FAIL"},
	{"another failure than the baseline's under a tolerant policy", tolerates(badExit, badRestore), "FAIL", matrix.LayerManagement, 1, "1 FAIL"},
	{"a failure that one of three runs of the baseline had", stored(1, badRestore, nil, nil), "", "", 1, "1 REGRESSED"},
	{"a failure that two of three runs of the baseline had", stored(1, badRestore, badRestore, nil), "", "", 0, "1 STILL BROKEN"},
	{"a failure that two runs of the baseline had, before three that passed", stored(1, badRestore, badRestore, nil, nil, nil), "", "", 1, "1 REGRESSED"},
	{"a failure that the only run of the baseline had", stored(1, badRestore), "", "", 2, "1 of 1 run failed so, and the policy wants 2"},
	{"a baseline that is too old", stored(31, nil, nil), "", "", 2, "the policy allows 30 days"},
	{"a stored baseline of another accelerator", func(s *site) {
		stored(1, nil)(s)
		judge := s.verb
		s.verb = func(run string, by ruling) verb {
			for i := range s.answers {
				s.answers[i].Accelerators = map[string]string{"L1": "kvm", "L2": "kvm"}
			}
			return judge(run, by)
		}
	}, "", "", 2, "the baseline is of another accelerator"},
}
