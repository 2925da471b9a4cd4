package main

import (
	"fmt"
	"strings"

	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// issue is a rule about badRestore.
const issue = `
- id: restore-section
  checks: [O-SAVE]
  where: {libvirt: ">= 11.3", kind: kvm}
  text: migration stream has unknown section
  says: libvirt 11.3 cannot restore
  tracker: docs/findings.md#save
  owner: virt-sig
  expires: 2027-05-31
`

// tolerant ships what a baseline has.
const tolerant = "block_on: [FAIL, BLOCKED]\ntolerate_still_broken: true\n"

// waiver lets badRestore ship, for the packages of the candidate.
func (s *site) waiver() string {
	image := s.cell.Images[0]
	return fmt.Sprintf(`
- cell: %s
  check: O-SAVE
  packages: {%s: %s}
  author: release manager
  reason: nobody saves guests here
  expires: 2026-12-31
`, s.cell.ID, image.Role, image.Packages)
}

// ruled has the check end with an error, and a rule with some words replaced.
func ruled(err error, words ...string) func(*site) {
	return func(s *site) {
		s.its().End(err)
		s.issues = strings.NewReplacer(words...).Replace(issue)
	}
}

// waived has the check fail, with a waiver of which some words are replaced.
func waived(words ...string) func(*site) {
	return func(s *site) {
		s.its().End(badRestore)
		s.waivers = strings.NewReplacer(words...).Replace(s.waiver())
	}
}

// listed is a failure of a check that lists what it finds.
var listed = fault.Productf(matrix.LayerManagement, "compare", "2 differ\nalpha is gone\nbeta is gone")

const byText, byLine = "text: migration stream has unknown section", "lines: [alpha is gone]"

var ruleFaults = []planted{
	{"a failure that is known", ruled(badRestore), "KNOWN", matrix.LayerManagement, 0, "KNOWN (tolerated)"},
	{"a known failure where the policy holds it", func(s *site) {
		ruled(badRestore)(s)
		s.policy = "block_on: [FAIL, KNOWN]\n"
	}, "KNOWN", matrix.LayerManagement, 1, "1 KNOWN"},
	{"a rule that has expired", ruled(badRestore, "2027-05-31", "2026-11-23"), "FAIL", matrix.LayerManagement, 1, "known issue restore-section expired on 2026-11-23"},
	{"a rule on its last day", ruled(badRestore, "2027-05-31", "2026-11-24"), "KNOWN", matrix.LayerManagement, 0, "SHIP"},
	{"a rule without the failure's text", ruled(badExit), "FAIL", matrix.LayerHypervisor, 1, "1 FAIL"},
	{"a rule of other versions", ruled(badRestore, ">= 11.3", "<= 9.0", "O-SAVE]", "O-SAVE]\n  intermittent: true"), "FAIL", matrix.LayerManagement, 1, "1 FAIL"},
	{"a rule of another kind of cell", ruled(badRestore, "kind: kvm", "kind: xen", "O-SAVE]", "O-SAVE]\n  intermittent: true"), "FAIL", matrix.LayerManagement, 1, "1 FAIL"},
	{"a rule of another check", ruled(badRestore, "O-SAVE]", "O-START]\n  intermittent: true"), "FAIL", matrix.LayerManagement, 1, "1 FAIL"},
	{"a list of which a line is new", ruled(listed, byText, byLine), "FAIL", matrix.LayerManagement, 1, "1 FAIL"},
	{"a list of which each line is known", ruled(listed, byText, "lines: [alpha is gone, beta is .*]"), "KNOWN", matrix.LayerManagement, 0, "SHIP"},
	{"a line of which a rule knows the end", ruled(listed, byText, "lines: [is gone, beta is .*]"), "FAIL", matrix.LayerManagement, 1, "1 FAIL"},
	{"a list in which a rule should have had a line", ruled(listed, byText, "lines: [gamma is gone]"), "FAIL", matrix.LayerManagement, 1, "known issue restore-section fires no more"},
	{"a waived list in which a rule should have had a line", func(s *site) {
		waived()(s)
		ruled(listed, byText, "lines: [gamma is gone]")(s)
	}, "FAIL", matrix.LayerManagement, 1, "known issue restore-section fires no more"},
	{"a waived failure that may hide a known one", func(s *site) {
		waived()(s)
		ruled(badExit)(s)
	}, "FAIL", matrix.LayerHypervisor, 0, "1 FAIL (waived)"},
	{"a line that a rule knows in part", ruled(listed, byText, "lines: [alpha, beta is .*]"), "FAIL", matrix.LayerManagement, 1, "1 FAIL"},
	{"a rule that fires no more", ruled(nil), "FIXED", "", 1, "known issue restore-section fires no more"},
	{"a rule that fires no more, which the policy tolerates", func(s *site) {
		ruled(nil)(s)
		s.policy = "block_on: [FAIL]\n"
	}, "FIXED", "", 0, "known issue restore-section fires no more"},
	{"an intermittent failure that stays away", ruled(nil, "O-SAVE]", "O-SAVE]\n  intermittent: true"), "PASS", "", 0, "SHIP"},
	{"rules that overlap", func(s *site) { s.issues = issue + strings.Replace(issue, "restore-section", "again", 1) }, "", "", 2, "issue again overlaps with issue restore-section"},
	{"rules that contradict each other", func(s *site) {
		s.issues = issue + strings.NewReplacer("restore-section", "again", "O-SAVE]", "O-SAVE]\n  intermittent: true").Replace(issue)
	}, "", "", 2, "issue again contradicts"},
	{"a rule for every failure", ruled(nil, byText, `text: ".*"`), "", "", 2, "name words of this one"},
	{"a rule without text", ruled(nil, byText, ""), "", "", 2, "wants text or lines"},
	{"a rule that nobody owns", ruled(nil, "owner: virt-sig", ""), "", "", 2, "lacks says, tracker, owner or expires"},
	{"a rule for all cells", ruled(nil, `where: {libvirt: ">= 11.3", kind: kvm}`, ""), "", "", 2, "lacks checks or where"},
	{"a waiver", waived(), "FAIL", matrix.LayerManagement, 0, "1 FAIL (waived)"},
	{"a waiver that has expired", waived("2026-12-31", "2026-11-23"), "FAIL", matrix.LayerManagement, 1, "1 FAIL: O-SAVE"},
	{"a waiver of another check", waived("O-SAVE", "O-START"), "FAIL", matrix.LayerManagement, 1, "1 FAIL: O-SAVE"},
	{"a waiver of another cell", waived("cell: kvm", "cell: xen"), "FAIL", matrix.LayerManagement, 1, "1 FAIL: O-SAVE"},
	{"a waiver of other packages", func(s *site) {
		waived(s.cell.Images[0].Packages, strings.Repeat("5e7", 4))(s)
	}, "FAIL", matrix.LayerManagement, 1, "1 FAIL: O-SAVE"},
	{"a waiver of other packages as well", waived("packages: {", "packages: {kernel-cloud: 5e75e75e75e7, "), "FAIL", matrix.LayerManagement, 1, "1 FAIL: O-SAVE"},
	{"a waiver of another image", waived("userland-kvm:", "qemu:"), "FAIL", matrix.LayerManagement, 1, "1 FAIL: O-SAVE"},
	{"a waiver without a reason", waived("reason: nobody saves guests here", ""), "", "", 2, "the waiver lacks"},
	{"a policy that ships failures", func(s *site) { s.policy = "block_on: [KNOWN]\n" }, "", "", 2, "block_on lacks FAIL"},
	{"a policy that ships what has no answer", func(s *site) { s.policy = "block_on: [FAIL, MISSING]\n" }, "", "", 2, "MISSING is no verdict on the product"},
	{"a policy with a word that nobody knows", func(s *site) { s.policy = "blok_on: [FAIL]\n" }, "", "", 2, "blok_on"},
	{"a policy that allows less than none", func(s *site) { s.policy = "block_on: [FAIL]\nmax_retried: -1\n" }, "", "", 2, "want 0 or more"},
	{"a policy that says nothing", func(s *site) { s.policy = "max_retried: 1\n" }, "", "", 2, `the key "block_on" is missing`},
}
