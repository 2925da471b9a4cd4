package matrix

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// constrained returns the catalog whose first constraint has these conditions,
// and that has no cells.
func constrained(t *testing.T, conditions string) *Catalog {
	t.Helper()
	fsys := change(t, "constraints.yaml: {machine: q35-10.0, qemu: \"< 10\"} => "+conditions)
	fsys["profiles.yaml"].Data = []byte("profiles: [{name: none, description: None, cover: [{kind: kvm, strength: 1, axes: all}]}]")
	c, err := Load(fsys)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestComparisonsStandForTheirValues(t *testing.T) {
	for written, want := range map[string]string{
		"6.1":                "6.1",
		"[6.12, 6.1]":        "6.1 6.12",
		"newest":             "6.12",
		"[oldest]":           "6.1",
		`"< 6.12"`:           "6.1",
		`"<= 6.12"`:          "6.1 6.12",
		`"> 6.1"`:            "6.12",
		`">= 6.1"`:           "6.1 6.12",
		`"= 6.1"`:            "6.1",
		`"!= 6.1"`:           "6.12",
		`">6.1"`:             "6.12",
		`"> 6.1, < 7"`:       "6.12",
		`"> 6.1,!= 6.12"`:    "",
		`">= oldest, < 6.9"`: "6.1",
		// About versions to come.
		`">= 7"`:         "",
		`"= 6.13"`:       "",
		`"< 6.1"`:        "",
		`"> 6.12~rc1"`:   "6.12",
		`"> 6.1, < 6.2"`: "",
	} {
		c := constrained(t, "{linux: "+written+"}")
		got := c.Constraints[0].Never
		if len(got) != 1 || got[0].Axis != "linux" || strings.Join(got[0].Values, " ") != want {
			t.Errorf("%s: got %v, want %s", written, got, want)
		}
	}
}

func TestConditionsKeepTheirWords(t *testing.T) {
	c := constrained(t, `{qemu: ">= 7.2, < 10", disk: [sata, virtio], composition: native}`)
	want := Constraint{
		Never: []Condition{
			{"qemu", []string{"7.2"}, ">= 7.2, < 10"},
			{"disk", []string{"virtio", "sata"}, "[sata, virtio]"},
			{CompositionAxis, []string{"native"}, "native"},
		},
		Why: "too new", Source: "constraints.yaml:2",
	}
	if d := cmp.Diff(want, c.Constraints[0]); d != "" {
		t.Error(d)
	}
	for k, want := range map[fmt.Stringer]string{
		&c.Constraints[0]: "qemu >= 7.2, < 10 and disk [sata, virtio] and composition native",
		&c.Constraints[1]: "kind kvm and disk sata and composition bundled",
	} {
		if got := k.String(); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func TestConstraintsForbidCellsThatMeetAllConditions(t *testing.T) {
	cell := Cell{
		Kind: KVM, Composition: Bundled,
		Stack:    []Choice{{Component: QEMU, Version: "7.2"}},
		Settings: []Setting{{Axis: "disk", Value: "sata"}},
	}
	for conditions, want := range map[string]bool{
		"{qemu: 7.2}":                       true,
		"{qemu: 10.0}":                      false,
		"{qemu: 7.2, disk: sata}":           true,
		"{qemu: 7.2, disk: virtio}":         false,
		"{qemu: 7.2, disk: [sata, virtio]}": true,
		`{qemu: "< 5"}`:                     false,
		"{composition: bundled}":            true,
		"{qemu: 7.2, composition: native}":  false,
		"{qemu: 7.2}\n    kind: kvm":        true,
		"{disk: sata}\n    kind: xen":       false,
		// The kind of the cell has no such axis.
		"{xen: 4.17}": false,
	} {
		c := constrained(t, conditions)
		if got := c.Constraints[0].Forbids(&cell); got != want {
			t.Errorf("%s: %v, want %v", conditions, got, want)
		}
	}
}

func TestMistakesInConstraintsNameTheirPlace(t *testing.T) {
	conditions := func(about, written, want string) mistake {
		return mistake{about, "constraints.yaml", `{machine: q35-10.0, qemu: "< 10"}`, written, "constraints.yaml:" + want}
	}
	refuses(t, []mistake{
		{"unknown key", "constraints.yaml", "why: too", "wy: too", `constraints.yaml:3:5: unknown key "wy"; did you mean "why"?`},
		{"no reason", "constraints.yaml", "\n    why: too new", "", `constraints.yaml:2:5: the key "why" is missing`},
		{"unknown kind", "constraints.yaml", "kind: kvm", "kind: kwm", `constraints.yaml:5:11: unknown kind "kwm"; did you mean "kvm"?`},
		conditions("nothing", "{}", `2:12: there is no condition: this would forbid every cell`),
		conditions("no mapping", "[qemu]", `2:12: want a mapping here, found sequence`),
		conditions("unknown axis", "{machin: q35-7.2}", `2:13: unknown axis "machin"; did you mean "machine"?`),
		conditions("axis twice", "{disk: sata, disk: virtio}", `2:25: duplicate key "disk", first in line 2`),
		conditions("unknown value", "{disk: stata}", `2:19: unknown value of disk "stata"; did you mean "sata"?`),
		conditions("unknown value in a list", "{disk: [sata, vitrio]}", `2:26: unknown value of disk "vitrio"; did you mean "virtio"?`),
		conditions("unknown version", "{qemu: 7.3}", `2:19: unknown version of qemu "7.3"; did you mean "7.2"?`),
		conditions("unknown composition", "{composition: bundeld}", `2:26: unknown value of composition "bundeld"; did you mean "bundled"?`),
		conditions("value twice", "{disk: [sata, sata]}", `2:26: duplicate value "sata"`),
		conditions("no values", "{disk: []}", `2:19: the list is empty`),
		conditions("no value", "{disk: }", `2:18: want a value, a list of values, or a comparison in quotes such as ">= 6.2" here, found null`),
		conditions("order of what has none", `{machine: ">= q35-7.2"}`, `2:22: the values of machine have no order; name them: [q35-7.2, q35-10.0]`),
		conditions("strange comparison", `{qemu: "=< 7.2"}`, `2:19: "< 7.2" is not a version`),
		conditions("no comparison", `{qemu: ">= 7.2, 10"}`, `2:19: "10" is no comparison: want <, <=, >, >=, = or != and a version`),
		conditions("comparison without a version", `{qemu: "< "}`, `2:19: "" is not a version`),
		conditions("range that nothing can be in", `{qemu: ">= 7.2, < 7"}`, `2:19: no version can be >= 7.2, < 7`),
		conditions("range around nothing", `{qemu: "> 7.2, < 7.2"}`, `2:19: no version can be > 7.2, < 7.2`),
		conditions("bare comparison", `{qemu: >= 7.2}`, `2:19: put a text that begins with ">" or "|" in quotes: ">= 6.2"`),
		conditions("tag", `{qemu: != 7.2}`, `2:19: want a value, a list of values, or a comparison in quotes such as ">= 6.2" here, found tag`),
		conditions("axes of two kinds", "{linux: 6.1, qemu: 7.2, xen: 4.17}", `2:36: no kind of cell has all of linux, qemu, xen`),
		conditions("axis of another kind", "{qemu: 7.2}\n    kind: xen", `2:13: a xen cell has no qemu`),
	})
}

func TestNoConstraintsAndNoSettingsAreFine(t *testing.T) {
	fsys := files("", "", "")
	fsys["axes.yaml"].Data = []byte("axes: []\n")
	fsys["constraints.yaml"].Data = []byte("constraints: []\n")
	c, err := Load(fsys)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Constraints) != 0 || len(c.KindAxes(KVM)) != 3 {
		t.Errorf("got %v and %v", c.Constraints, c.KindAxes(KVM))
	}
}

func TestOurConstraintsAreWhatTheirReasonsSay(t *testing.T) {
	want := map[string]string{
		"libvirt >= 11.2 and qemu < 6.2":                        "[11.3 12.8] [5.2]",
		"machine [pc-i440fx-5.2, pc-q35-5.2] and qemu < 5.2":    "[pc-i440fx-5.2 pc-q35-5.2] []",
		"machine pc-q35-7.2 and qemu < 7.2":                     "[pc-q35-7.2] [5.2]",
		"machine pc-q35-10.0 and qemu < 10.0":                   "[pc-q35-10.0] [5.2 7.2]",
		"machine pc-q35-11.1 and qemu < 11.1":                   "[pc-q35-11.1] [5.2 7.2 10.0]",
		"security apparmor and composition bundled":             "[apparmor] [bundled]",
		"media [iso-bios, iso-uefi, ostree] and tier container": "[iso-bios iso-uefi ostree] [container]",
		"media ostree and composition bundled":                  "[ostree] [bundled]",
		"disk sata and linux < 6.12":                            "[sata] [5.10 6.1]",
		"security apparmor and tier container":                  "[apparmor] [container]",
		"firmware uefi and accel kvm and tier nested":           "[uefi] [kvm]",
		"accel kvm and tier container":                          "[kvm] [container]",
	}
	got := map[string]string{}
	for _, k := range catalog(t).Constraints {
		got[k.String()] = fmt.Sprint(k.Never[0].Values, " ", k.Never[1].Values)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestSomeCannotBeOnlyWhereL1IsEmulated(t *testing.T) {
	c := catalog(t)
	cell, err := c.cell(KVM, Nested, map[string]string{"linux": "6.1", "qemu": "7.2", "libvirt": "9.0", "firmware": "uefi"})
	if err != nil {
		t.Fatal(err)
	}
	if err := allowed(&cell, c.On(false).Constraints); err != nil {
		t.Errorf("with KVM on L0: %v", err)
	}
	if err := allowed(&cell, c.On(true).Constraints); err == nil || !strings.Contains(err.Error(), "CR8") {
		t.Errorf("on an emulated host: %v, want what it dies of", err)
	}
	old := &Cell{Kind: Xen, Tier: Nested, Stack: []Choice{{Component: XenHyp, Version: "4.17"}}}
	for emulated, want := range map[bool]string{true: "needs xen 4.20 on an emulated host, the cell has 4.17", false: ""} {
		check, err := c.On(emulated).Check("IX-HVM-UEFI")
		if err != nil {
			t.Fatal(err)
		}
		if got := check.inapplicable(old); got != want {
			t.Errorf("IX-HVM-UEFI where L1 is emulated is %v: got %q, want %q", emulated, got, want)
		}
	}
	if n := len(c.Constraints); n != len(c.On(true).Constraints) || n == len(c.On(false).Constraints) {
		t.Errorf("%d constraints became %d where L1 is emulated and %d where it is not", n, len(c.On(true).Constraints), len(c.On(false).Constraints))
	}
}
