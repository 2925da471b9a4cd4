package matrix

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestNearestGivesWhatWasMeant(t *testing.T) {
	names := []string{"linux", "qemu", "libvirt", "xen"}
	for misspelt, want := range map[string]string{
		"qemuu":   "qemu",
		"QEMU":    "qemu",
		"lixnux":  "linux",
		"libvrit": "libvirt",
		"zen":     "xen",
		"docker":  "",
		"":        "",
	} {
		if got := Nearest(misspelt, names); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", misspelt, got, want)
		}
	}
}

func TestUnknownGivesTheNearestOrAll(t *testing.T) {
	names := []string{"kvm", "xen"}
	for name, want := range map[string]string{
		"kvn":    `unknown kind "kvn"; did you mean "kvm"?`,
		"hyperv": `unknown kind "hyperv"; there are kvm, xen`,
	} {
		if got := Unknown("kind", name, names).Error(); got != want {
			t.Errorf("got %s\nwant %s", got, want)
		}
	}
}

func TestLevenshteinCountsEdits(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"kitten", "sitting", 3}, {"flaw", "lawn", 2}, {"same", "same", 0},
	} {
		if got := levenshtein(c.a, c.b); got != c.want {
			t.Errorf("levenshtein(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

func TestSelect(t *testing.T) {
	names := []string{
		"kvm_linux-6.1_qemu-7.2_libvirt-9.0",
		"kvm_linux-6.12_qemu-10.0_libvirt-9.0",
		"xen_linux-6.1_xen-4.17_libvirt-9.0",
		"O-SAVE", "O-MSAVE", "O-CONN", "O-CONN-RO",
	}
	for _, c := range []struct {
		about    string
		patterns []string
		want     []int
	}{
		{"no pattern has all", nil, []int{0, 1, 2, 3, 4, 5, 6}},
		{"a part", []string{"kvm"}, []int{0, 1}},
		{"a part of several words", []string{"qemu-10.0_libvirt-9.0"}, []int{1}},
		{"a component", []string{"qemu"}, []int{0, 1}},
		{"a version ends where it ends", []string{"linux-6.1"}, []int{0, 2}},
		{"a series needs a wildcard", []string{"linux-6.*"}, []int{0, 1, 2}},
		{"wildcard within", []string{"kvm*libvirt-9.0"}, []int{0, 1}},
		{"wildcards around", []string{"*SAVE*"}, []int{3, 4}},
		{"a whole name has only itself", []string{"O-CONN"}, []int{5}},
		{"a word of names", []string{"CONN"}, []int{5, 6}},
		{"case does not matter", []string{"o-save"}, []int{3}},
		{"several are ORed, in the order of names", []string{"O-SAVE", "xen"}, []int{2, 3}},
		{"a dot is a dot", []string{"O-CONN", "qemu-7.2"}, []int{0, 5}},
	} {
		t.Run(c.about, func(t *testing.T) {
			got, err := Select(c.patterns, names)
			if err != nil {
				t.Fatal(err)
			}
			var want []string
			for _, i := range c.want {
				want = append(want, names[i])
			}
			if !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestSelectRefusesWhatMatchesNothing(t *testing.T) {
	names := []string{"kvm_linux-6.1_qemu-7.2_libvirt-9.0", "O-SAVE"}
	for pattern, want := range map[string]string{
		"linux-6.2": `nothing matches "linux-6.2"; did you mean "linux-6.1"?`,
		"O-SAFE":    `nothing matches "O-SAFE"; did you mean "O-SAVE"?`,
		"linux-6":   `nothing matches "linux-6"; did you mean "linux-6.1"?`,
		"kvm_linux-6.1_qemu-7.3_libvirt-9.0": `nothing matches "kvm_linux-6.1_qemu-7.3_libvirt-9.0"; ` +
			`did you mean "kvm_linux-6.1_qemu-7.2_libvirt-9.0"?`,
		// Neither a regular expression nor a blank reaches the matcher.
		"qemu-7[.]2": `nothing matches "qemu-7[.]2"; did you mean "qemu-7.2"?`,
		"":           `nothing matches ""; there are kvm_linux-6.1_qemu-7.2_libvirt-9.0, O-SAVE, kvm, linux-6.1, qemu-7.2, libvirt-9.0`,
	} {
		// A pattern that matches does not excuse one that does not.
		got, err := Select([]string{"kvm", pattern}, names)
		if err == nil {
			t.Errorf("Select(%q) = %q, want an error", pattern, got)
		} else if err.Error() != want {
			t.Errorf("got %s\nwant %s", err, want)
		}
	}
}

func TestSelectNeverMatchesInsideAWord(t *testing.T) {
	for _, pattern := range []string{"inux", "SAV", "7.2"} {
		got, err := Select([]string{pattern}, []string{"linux-17.2", "O-SAVE"})
		if err == nil {
			t.Errorf("Select(%q) = %q, want an error", pattern, strings.Join(got, ", "))
		}
	}
}

func TestAnErrorListsNoHundredsOfNames(t *testing.T) {
	names := make([]string, 400)
	for i := range names {
		names[i] = fmt.Sprintf("O-CHECK-OF-MANY-%d", i)
	}
	err := Unknown("check", "zzz", names)
	if !strings.HasSuffix(err.Error(), "O-CHECK-OF-MANY-29 and 370 more (see virtmatrix list --help)") {
		t.Errorf("it says %v", err)
	}
}
