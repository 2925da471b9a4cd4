package contracts

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/virtmatrix/virtmatrix/suites/check"
)

// TestEachRowIsAssertedOrSaysWhyNot, and each check of the package asserts one.
func TestEachRowIsAssertedOrSaysWhyNot(t *testing.T) {
	named := map[string]bool{}
	for _, r := range Rows {
		if len(r.Checks) == 0 && r.Why == "" {
			t.Errorf("row %q is asserted by no check and says no reason", r.Row)
		}
		for _, id := range r.Checks {
			named[id] = true
		}
	}
	for _, c := range check.All() {
		if !named[c.ID] {
			t.Errorf("%s asserts no row of a contract", c.ID)
		}
	}
}

// TestWhatDoesNotHoldIsKnown: the table and the known issues tell the same.
func TestWhatDoesNotHoldIsKnown(t *testing.T) {
	text, err := os.ReadFile("../../../ci/known-issues.yaml")
	if err != nil {
		t.Fatal(err)
	}
	rules := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^- id: (\S+)\n  checks: \[(.*)\]$`).FindAllStringSubmatch(string(text), -1) {
		for id := range strings.SplitSeq(m[2], ", ") {
			if check.Find(id) != nil {
				rules[id+" "+m[1]] = true
			}
		}
	}
	var told []string
	for _, f := range Failures {
		told = append(told, f.Check+" "+f.ID)
	}
	slices.Sort(told)
	if want := slices.Sorted(maps.Keys(rules)); !slices.Equal(told, want) {
		t.Errorf("the table tells of\n%q\nand the known issues of\n%q", told, want)
	}
}
