package matrix

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// mustRefuse fails unless the request is refused with an error that has all of
// these texts.
func mustRefuse(t *testing.T, c *Catalog, r Request, texts ...string) {
	t.Helper()
	p, err := New(c, r)
	if err == nil || p != nil {
		t.Fatalf("there is a plan, want an error with %q", texts)
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("got %v\nwant %s", err, text)
		}
	}
}

func TestContradictionsNameTheValueAndItsConstraints(t *testing.T) {
	for _, k := range []struct {
		about string
		never []Condition
		texts []string
	}{
		{"a value", []Condition{{Axis: "machine", Values: []string{"pc-q35-11.1"}}, {Axis: "qemu", Values: []string{"11.1"}}}, []string{
			"cannot plan: cannot cover kvm cells of profile each: no kvm cell can have machine=pc-q35-11.1: ",
			"QEMU has the machine types of 11.1 since 11.1 (constraints.yaml:",
			"because (test.yaml:7)",
		}},
		{"a version of a component", []Condition{{Axis: "libvirt", Values: []string{"7.0", "9.0"}}, {Axis: "qemu", Values: []string{"5.2"}}}, []string{
			"no kvm cell can have qemu=5.2: libvirt 11.2 and later refuse a QEMU before 6.2 (constraints.yaml:", "; because (test.yaml:7)",
		}},
		{"a value alone", []Condition{{Axis: "firmware", Values: []string{"uefi"}}}, []string{
			"no kvm cell can have firmware=uefi: because (test.yaml:7)",
		}},
		{"all values of an axis", []Condition{{Axis: "firmware", Values: []string{"bios", "uefi"}}}, []string{
			"cannot cover kvm cells of profile each: no kvm cell can be: because (test.yaml:7)",
		}},
		{"all compositions", []Condition{{Axis: CompositionAxis, Values: []string{"native", "bundled"}}}, []string{
			"no kvm cell can be: because (test.yaml:7)",
		}},
	} {
		t.Run(k.about, func(t *testing.T) {
			c := catalog(t)
			c.Constraints = append(c.Constraints, Constraint{Never: k.never, Why: "because", Source: "test.yaml:7"})
			mustRefuse(t, c, Request{Profile: "each", Strength: 2}, k.texts...)
		})
	}
}

func TestConstraintThatForbidsANamedCellIsAnError(t *testing.T) {
	// Constraints that packages state come after the profile was read.
	c := catalog(t)
	c.Constraints = append(c.Constraints, Constraint{
		Never: []Condition{{Axis: "qemu", Values: []string{"7.2"}, Text: "7.2"}, {Axis: "libvirt", Values: []string{"9.0"}, Text: "9.0"}},
		Why:   "they break each other", Source: "qemu-system-common 1:7.2 (bookworm) Breaks: libvirt-daemon",
	})
	mustRefuse(t, c, Request{Profile: "smoke"},
		"cannot plan: profile smoke names kvm_linux-6.1_qemu-7.2_libvirt-9.0_tier-container: ", "they break each other", "qemu-system-common 1:7.2 (bookworm) Breaks: libvirt-daemon")
}

func TestAbsurdSizesGiveTheirNumber(t *testing.T) {
	c := catalog(t)
	nightly, err := c.Profile("nightly")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		a := Axis{Name: fmt.Sprint("wide", i), Kinds: []Kind{KVM}, Default: "0"}
		for v := range 200 {
			a.Values = append(a.Values, Value{Name: fmt.Sprint(v)})
		}
		c.Axes = append(c.Axes, a)
		nightly.Covers[0].Axes = append(nightly.Covers[0].Axes, Varied{Axis: a.Name, Values: a.names()})
	}
	mustRefuse(t, c, Request{Profile: "nightly", Strength: 3},
		"cannot choose cells of profile nightly: ", "strength 3 over 12 axes has ", " tuples, more than ")
}

func TestMoreStacksThanCanBeComposedAreRefused(t *testing.T) {
	c := catalog(t)
	nightly, err := c.Profile("nightly")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		a := &c.Axes[i]
		for v := range 60 {
			a.Values = append(a.Values, Value{Name: fmt.Sprint(100 + v), Releases: []string{"sid"}})
		}
		for j := range nightly.Covers {
			nightly.Covers[j] = narrowed(nightly.Covers[j], a.Name, a.names()...)
		}
	}
	mustRefuse(t, c, Request{Profile: "nightly"}, "the versions make more than 100000 stacks; let fewer vary")
}

func TestRefusedRequests(t *testing.T) {
	c := catalog(t)
	for _, k := range []struct {
		about string
		r     Request
		want  string
	}{
		{"a strength above the axes", Request{Profile: "nightly", Strength: 7}, "strength 7 is not between 1 and 6: profile nightly varies 8 axes"},
		{"a strength below 1", Request{Profile: "nightly", Strength: -1}, "strength -1 is not between 1 and 6"},
		{"a strength without a cover", Request{Profile: "smoke", Strength: 2}, "strength 2: profile smoke names its cells and covers nothing"},
		{"a budget below 0", Request{Profile: "nightly", Budget: -3}, "the budget of -3 cells is below 0"},
		{"a budget below the named cells", Request{Profile: "smoke", Budget: 2},
			"the budget of 2 cells is less than the 7 that must be there: 7 fixed in profile smoke"},
		{"a budget below the kinds", Request{Profile: "each", Budget: 1},
			"the budget of 1 cell is less than the 2 that must be there: 1 for a cover of kvm and 1 for a cover of xen"},
		{"a budget below every stack", Request{Profile: "full", Budget: 10},
			"the budget of 10 cells is less than the 90 that must be there: 70 for the combinations of linux, qemu and libvirt and 20 for"},
		{"a budget below a pair", Request{Profile: "nightly", Budget: 1, Change: &Change{"qemu", "7.2", "10.0"}},
			"the budget of 1 cell is less than the 2 that must be there: 2 for kvm candidates of qemu 7.2 -> 10.0 and their baselines"},
		{"a change of an unknown axis", Request{Profile: "nightly", Change: &Change{"libvrt", "9.0", "11.3"}},
			`cannot change libvrt 9.0 -> 11.3: unknown axis "libvrt"; did you mean "libvirt"?`},
		{"a change from an unknown value", Request{Profile: "nightly", Change: &Change{"libvirt", "9.1", "11.3"}},
			`unknown version of libvirt "9.1"; did you mean "9.0"?`},
		{"a change to an unknown value", Request{Profile: "nightly", Change: &Change{"firmware", "bios", "uef"}},
			`unknown value of firmware "uef"; did you mean "uefi"?`},
		{"no change", Request{Profile: "nightly", Change: &Change{"libvirt", Newest, "12.8"}}, "libvirt is 12.8 before and after; name two values"},
		{"a change without a cover", Request{Profile: "smoke", Change: &Change{"libvirt", "9.0", "11.3"}},
			"profile smoke names its cells and covers nothing, so there is nothing to choose the cells of a change from; these do: containers, static, each, nightly, full"},
	} {
		t.Run(k.about, func(t *testing.T) { mustRefuse(t, c, k.r, k.want) })
	}
}

func TestChangeThatNoCoveredKindHasIsRefused(t *testing.T) {
	c := catalog(t)
	nightly, err := c.Profile("nightly")
	if err != nil {
		t.Fatal(err)
	}
	nightly.Covers = slices.DeleteFunc(nightly.Covers, func(cov Cover) bool { return cov.Kind == KVM })
	mustRefuse(t, c, Request{Profile: "nightly", Change: &Change{"qemu", "7.2", "10.0"}},
		"cannot change qemu 7.2 -> 10.0: profile nightly covers only xen cells, which have no qemu")
}

func TestChangeToWhatCannotBeIsRefused(t *testing.T) {
	c := catalog(t)
	c.Constraints = append(c.Constraints, Constraint{
		Kind: KVM, Never: []Condition{{Axis: "libvirt", Values: []string{"11.3"}}}, Why: "because", Source: "test.yaml:7",
	})
	for _, change := range []Change{{"libvirt", "9.0", "11.3"}, {"libvirt", "11.3", "9.0"}} {
		mustRefuse(t, c, Request{Profile: "nightly", Change: &change}, "with libvirt=11.3: no kvm cell can be: because (test.yaml:7)")
	}
}
