package main

import "strings"

// quarantine is a policy with O-SAVE in quarantine.
const quarantine = `block_on: [FAIL]
flakes:
  rate: 0.05
  runs: 50
  quarantined:
    - {check: O-SAVE, reason: nobody knows, owner: virt-sig, expires: 2026-12-31}
`

// flakes has the check fail, in quarantine, after so many passes and failures in earlier runs.
// Words of the policy are replaced.
func flakes(passes, failures int, words ...string) func(*site) {
	return func(s *site) {
		s.its().End(badRestore)
		s.policy = strings.NewReplacer(words...).Replace(quarantine)
		for range passes {
			s.history = append(s.history, nil)
		}
		for range failures {
			s.history = append(s.history, badRestore)
		}
	}
}

var flakeFaults = []planted{
	{"a flake in quarantine", flakes(4, 2), "FAIL", "L1 management", 0, "1 FAIL (quarantined): O-SAVE"},
	{"a failure in quarantine that no run saw before", flakes(0, 0), "FAIL", "L1 management", 1, "1 FAIL: O-SAVE"},
	{"a failure in quarantine that never passed", flakes(0, 4), "FAIL", "L1 management", 1, "1 FAIL: O-SAVE"},
	{"a failure in quarantine that always passed before", flakes(4, 0), "FAIL", "L1 management", 1, "1 FAIL: O-SAVE"},
	{"a flake in quarantine that is too rare for one", flakes(6, 1), "FAIL", "L1 management", 1, "1 FAIL: O-SAVE"},
	{"a flake whose quarantine has expired", flakes(4, 2, "2026-12-31", "2026-11-23"), "FAIL", "L1 management", 1, "1 FAIL: O-SAVE"},
	{"a flake on the last day of its quarantine", flakes(4, 2, "2026-12-31", "2026-11-24"), "FAIL", "L1 management", 0, "SHIP"},
	{"a flake while another check is in quarantine", flakes(4, 2, "O-SAVE", "O-START"), "FAIL", "L1 management", 1, "1 FAIL: O-SAVE"},
	{"a pass of a check in quarantine", func(s *site) {
		flakes(4, 2)(s)
		s.its().End(nil)
	}, "PASS", "", 0, "SHIP"},
	{"a flake in quarantine that was one in another way", func(s *site) {
		flakes(4, 2)(s)
		s.way = map[string]string{"L1": "kvm"}
	}, "FAIL", "L1 management", 1, "1 FAIL: O-SAVE"},
	{"a quarantine that nobody owns", flakes(0, 0, "owner: virt-sig, ", ""), "", "", 2, "lacks check, reason, owner or expires"},
	{"a quarantine without a reason", flakes(0, 0, "reason: nobody knows, ", ""), "", "", 2, "lacks check, reason, owner or expires"},
	{"a quarantine without an end", flakes(0, 0, ", expires: 2026-12-31", ""), "", "", 2, "lacks check, reason, owner or expires"},
	{"a quarantine of no check", flakes(0, 0, "check: O-SAVE, ", ""), "", "", 2, "lacks check, reason, owner or expires"},
	{"a quarantine for whatever fails", flakes(0, 0, "0.05", "1.5"), "", "", 2, "want a share below 1"},
	{"a quarantine for less than none", flakes(0, 0, "0.05", "-0.5"), "", "", 2, "want a share below 1"},
	{"a quarantine by no run", flakes(0, 0, "runs: 50", "runs: 0"), "", "", 2, "want at least 1"},
	{"a policy of flakes by fewer runs than none", flakes(0, 0, "runs: 50", "runs: -1", quarantine[strings.Index(quarantine, "  quarantined"):], ""), "", "", 2, "want at least 1"},
}
