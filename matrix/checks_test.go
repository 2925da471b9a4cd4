package matrix

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// someChecks is a list of checks in few lines; a test spoils it.
const someChecks = `[
	{"id": "IX-BOOT", "asserts": "Xen boots", "family": "inbound/xen", "requires": ["xen"], "boot": true},
	{"id": "IK-BOOT", "asserts": "The host boots", "family": "inbound/kernel", "boot": true},
	{"id": "O-SAVE", "asserts": "A saved guest goes on", "family": "outbound/save", "requires": ["kvm", "since libvirt 8.4.0"]}
]`

func TestMistakesInTheListOfChecksNameTheCheck(t *testing.T) {
	for _, m := range []struct{ about, old, new, want string }{
		{"registered twice", `"IK-BOOT"`, `"IX-BOOT"`, "check IX-BOOT is registered twice"},
		{"without a sentence", `"A saved guest goes on"`, `""`, "check O-SAVE: it has no sentence that says what it asserts"},
		{"an ID that is none", `"O-SAVE"`, `"../save"`, "check ../save: its ID is not of capital words and numbers that dashes join, such as O-SAVE"},
		{"unknown requirement", `"kvm", "since`, `"kvn", "since`, `check O-SAVE: unknown requirement "kvn"; did you mean "kvm"?`},
		{"unknown component", "since libvirt", "since libvrt", `check O-SAVE: unknown component "libvrt"; did you mean "libvirt"?`},
		{"no version", "8.4.0", "old", `check O-SAVE: requirement "since libvirt old": "old" is not a version`},
		{"unknown family", `"outbound/save"`, `"outbound-save"`, `check O-SAVE: unknown family "outbound-save"; did you mean "outbound"?`},
		{"two kinds at once", `"kvm", "since`, `"kvm", "xen", "since`, "check O-SAVE: no cell can meet what it requires: kvm, xen and since libvirt 8.4.0"},
		{"a version of what the kind lacks", `"kvm", "since libvirt 8.4.0"`, `"kvm", "since xen 4.17"`, "check O-SAVE: no cell can meet what it requires: kvm and since xen 4.17"},
		{"unknown key", `"family"`, `"familly"`, `json: unknown field "familly"`},
		{"hosts without a boot check", `"requires": ["xen"], "boot": true}`, `"boot": true}`, ""},
		{"hosts without any boot check", `"family": "inbound/kernel", "boot": true`, `"family": "inbound/kernel"`, "no check answers for the boot of kvm container hosts"},
	} {
		if !strings.Contains(someChecks, m.old) {
			t.Fatalf("%s: the test spoils nothing", m.about)
		}
		_, err := ReadChecks([]byte(strings.Replace(someChecks, m.old, m.new, 1)))
		if m.want == "" && err != nil || m.want != "" && (err == nil || err.Error() != "cannot read checks: "+m.want) {
			t.Errorf("%s: got %v\nwant %s", m.about, err, m.want)
		}
	}
}

func TestAnUnknownAxisToDependOnNamesTheCheck(t *testing.T) {
	c := catalog(t)
	save, err := c.Check("O-SAVE")
	if err != nil {
		t.Fatal(err)
	}
	save.Depends = []string{"composition", "libvrt"}
	const want = `check O-SAVE depends on an unknown axis "libvrt"; did you mean "libvirt"?`
	if err := c.verifyDepends(); err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
}

func TestTheListIsAsItWouldBeWritten(t *testing.T) {
	checks, err := ReadChecks(builtinChecks)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := WriteChecks(&b, checks); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(builtinChecks), b.String()); d != "" {
		t.Error(d)
	}
}

func TestARequirementThatACellDoesNotMeetHasItsReason(t *testing.T) {
	kvm := &Cell{Kind: KVM, Tier: Nested, Stack: []Choice{{Component: Libvirt, Version: "7.0"}}, Settings: []Setting{{Axis: "security", Value: "none"}}}
	confined := &Cell{Kind: KVM, Tier: Nested, Settings: []Setting{{Axis: "security", Value: "apparmor"}}}
	contained := &Cell{Kind: KVM, Tier: Container}
	xen := &Cell{Kind: Xen, Tier: Nested}
	own := &Cell{Kind: KVM, Composition: Native, Userland: "bookworm", Stack: []Choice{{Component: QEMU, Release: "bookworm"}}}
	// Its guests' kernel alone is of another release.
	beside := &Cell{Kind: KVM, Composition: Bundled, Userland: "bookworm", Stack: []Choice{{Component: QEMU, Release: "bookworm"}, {Component: Linux, Release: "trixie"}}}
	bundled := &Cell{Kind: KVM, Composition: Bundled, Userland: "bookworm", Stack: []Choice{{Component: QEMU, Release: "trixie"}}}
	twin := &Cell{Kind: KVM, Composition: Bundled, Userland: "bookworm", Stack: own.Stack}
	for _, c := range []struct {
		cell     *Cell
		requires []Requirement
		want     string
	}{
		{kvm, []Requirement{KVMStack, OwnKernel, HostKVM, Pristine}, ""},
		{kvm, []Requirement{XenStack}, "there is no Xen in the kvm stack"},
		{xen, []Requirement{XenStack, OwnKernel}, ""},
		{xen, []Requirement{KVMStack, HostKVM}, "qemu is no component of the xen stack"},
		{xen, []Requirement{HostKVM, KVMStack}, "the guests of a xen host run on Xen, which keeps SVM to itself"},
		{xen, []Requirement{Since(QEMU, "7.2")}, "qemu is no component of the xen stack"},
		{contained, []Requirement{KVMStack, OwnKernel}, "asks the host's own kernel, and a container has that of L0"},
		{contained, []Requirement{HostKVM}, "asks KVM of the host's own kernel, and a container has that of L0"},
		{kvm, []Requirement{Since(Libvirt, "7.0")}, ""},
		{kvm, []Requirement{Since(Libvirt, "8.4.0")}, "needs libvirt 8.4.0, the cell has 7.0"},
		{kvm, []Requirement{SinceEmulated(Libvirt, "8.4.0")}, "needs libvirt 8.4.0 on an emulated host, the cell has 7.0"},
		{kvm, []Requirement{SinceEmulated(Libvirt, "7.0")}, ""},
		{own, []Requirement{OwnQEMU}, ""},
		{beside, []Requirement{OwnQEMU}, ""},
		{twin, []Requirement{OwnQEMU}, "an emulator of another release is started with a privilege that users do not have"},
		{bundled, []Requirement{OwnQEMU}, "an emulator of another release is started with a privilege that users do not have"},
		{confined, []Requirement{AppArmor}, ""},
		{kvm, []Requirement{AppArmor}, "libvirt of the cell confines guests with another security driver, or with none"},
		{contained, []Requirement{AppArmor}, "AppArmor belongs to the kernel, and a container has L0's"},
	} {
		check := Check{Requires: c.requires}
		if got := check.inapplicable(c.cell); got != c.want {
			t.Errorf("%s %s, %v: got %q, want %q", c.cell.Kind, c.cell.Tier, c.requires, got, c.want)
		}
	}
}

func TestTheTableOfChecksHasEachOnce(t *testing.T) {
	checks := catalog(t).Checks
	var b bytes.Buffer
	if err := ChecksMarkdown(&b, checks); err != nil {
		t.Fatal(err)
	}
	for _, c := range checks {
		if n := strings.Count(b.String(), "| "+c.ID+" | "+c.Asserts+c.DraftText()+" |"); n != 1 {
			t.Errorf("%s is there %d times", c.ID, n)
		}
	}
	if got := Families(checks); !slices.IsSorted(got) || strings.Count(b.String(), "\n## ") != len(got) {
		t.Errorf("families %v in:\n%s", got, b.String())
	}
}
