package main

import (
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

// sameWords is badRestore, on another layer.
var sameWords = fault.Productf(matrix.LayerL2, "restore domain", "internal error: migration stream has unknown section")

var changeFaults = []planted{
	{"a change that changes nothing", compares(func(*site) {}), "SAME", "", 0, "SAME"},
	{"a regression", moves(nil, badRestore), "REGRESSED", matrix.LayerManagement, 1, "1 REGRESSED"},
	{"a failure that the baseline has", moves(badRestore, badRestore), "STILL BROKEN", matrix.LayerManagement, 0, "1 STILL BROKEN"},
	{"a failure in other words than the baseline's", moves(badExit, badRestore), "REGRESSED", matrix.LayerManagement, 1, "it failed before in another way"},
	{"a failure in another layer than the baseline's", moves(sameWords, badRestore), "REGRESSED", matrix.LayerManagement, 1, "it failed before in another way"},
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
	}, "FAIL", matrix.LayerManagement, 1, "2 FAIL"},
	{"a failure of the baseline, which the policy tolerates", tolerates(badRestore, nil), "PASS", "", 0, "STILL BROKEN (tolerated)"},
	{"a regression under a tolerant policy", tolerates(nil, badRestore), "FAIL", matrix.LayerManagement, 1, "1 FAIL"},
	{"another failure than the baseline's under a tolerant policy", tolerates(badExit, badRestore), "FAIL", matrix.LayerManagement, 1, "1 FAIL"},
}
