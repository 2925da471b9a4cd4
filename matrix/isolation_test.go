package matrix

import (
	"slices"
	"strings"
	"testing"
)

const isolated = `profiles:
  - name: shared
    description: The checks of a cell on one host
    cells: [{kind: kvm, linux: 6.1, qemu: 7.2, libvirt: 9.0}]
  - name: alone
    description: Each check on a host of its own
    isolation: check
    cells: [{kind: kvm, linux: 6.1, qemu: 7.2, libvirt: 9.0}]
`

func TestWhoAsksForAHostOfItsOwnGetsOne(t *testing.T) {
	cat := shipped(t, isolated)
	save, err := cat.Check("O-SAVE")
	if err != nil {
		t.Fatal(err)
	}
	save.Requires = append(save.Requires, Pristine)
	for name, tc := range map[string]struct {
		req  Request
		want string
	}{
		"as the check says":       {Request{Profile: "shared"}, "O-SAVE"},
		"as the profile says":     {Request{Profile: "alone"}, "IK-BOOT O-CONN O-SAVE"},
		"all, whoever asks":       {Request{Profile: "shared", Isolation: IsolateCheck}, "IK-BOOT O-CONN O-SAVE"},
		"none, whatever they say": {Request{Profile: "alone", Isolation: IsolateCell}, ""},
	} {
		tc.req.Checks = []string{"O-CONN", "O-SAVE", "IX-PV"}
		plan, err := New(cat, tc.req)
		if err != nil {
			t.Fatal(err)
		}
		var alone []string
		for _, p := range plan.Cells[0].Checks {
			if p.Isolation == IsolateCheck {
				alone = append(alone, p.ID)
			}
		}
		slices.Sort(alone)
		if got := strings.Join(alone, " "); got != tc.want {
			t.Errorf("%s: %q alone, want %q", name, got, tc.want)
		}
	}
}

func TestAnUnknownIsolationIsToldWithItsPlace(t *testing.T) {
	_, err := Load(catalogue(t, strings.Replace(isolated, "isolation: check", "isolation: chekc", 1)))
	if err == nil || !strings.Contains(err.Error(), "profiles.yaml:7") || !strings.Contains(err.Error(), `"check"`) {
		t.Errorf("got %v", err)
	}
}
