package matrix

import (
	"slices"
	"testing"
)

// ascending holds versions of packages of the field, from the lowest to the
// highest by Debian's rules.
var ascending = []string{
	"4.17~rc4-1~exp1",
	"4.17.5+72-g01140da4e8-1",
	"5.2",
	"5.10",
	"6.1",
	"6.1.176-1",
	"6.12",
	"6.12.95-1~bpo12+1",
	"6.12.107-1",
	"7.2",
	"9.0.0-4",
	"9.0.0-4+deb12u2",
	"10.0",
	"11.3.0~rc1-1",
	"11.3.0-2~bpo12+1",
	"11.3.0-2",
	"11.3.0-3+deb13u3",
	"1:5.2+dfsg-11+deb11u3",
	"1:7.2+dfsg-7+deb12u18",
	"1:7.2+dfsg-7+deb12u18+b3",
	"1:10.0.2+ds-2+deb13u1~bpo12+1",
	"1:10.0.2+ds-2+deb13u1",
}

func TestCompareOrdersPackagesOfTheField(t *testing.T) {
	for i, a := range ascending {
		for j, b := range ascending {
			if got, want := Compare(a, b), sign(i-j); got != want {
				t.Errorf("Compare(%q, %q) = %d, want %d", a, b, got, want)
			}
		}
	}
}

func TestCompareSeesEqualVersions(t *testing.T) {
	for _, p := range [][2]string{{"6.1", "6.01"}, {"0:9.0", "9.0"}, {"9.0-0", "9.0"}} {
		if got := Compare(p[0], p[1]); got != 0 {
			t.Errorf("Compare(%q, %q) = %d, want 0", p[0], p[1], got)
		}
	}
}

func TestOrderGoesByTheKindOfRepository(t *testing.T) {
	// A letter is after the end of a version for Debian, and before a number for RPM.
	for source, want := range map[string]int{"apt": +1, "dnf": -1} {
		if got := Order(source)("1.a", "1.0"); got != want {
			t.Errorf("%s: 1.a against 1.0 is %d, want %d", source, got, want)
		}
	}
}

func TestCompareStaysTotalOnGarbage(t *testing.T) {
	mixed := []string{"7.2", "unknown", "", "10.0"}
	slices.SortFunc(mixed, Compare)
	if want := []string{"", "unknown", "7.2", "10.0"}; !slices.Equal(mixed, want) {
		t.Errorf("sorted %q, want %q", mixed, want)
	}
}

func sign(n int) int {
	switch {
	case n < 0:
		return -1
	case n > 0:
		return +1
	}
	return 0
}

func TestPackagesAreOfASeries(t *testing.T) {
	for _, tc := range []struct {
		series, version string
		want            bool
	}{
		{"6.12", "6.12.107-1", true},
		{"6.12", "6.12~rc1-1", true},
		{"6.12", "6.12-1", true},
		{"6.12", "6.13.4-1~bpo12+1", false},
		{"6.1", "6.12.107-1", false},
		{"7.2", "1:7.2+dfsg-7+deb12u18+b3", true},
		{"4.20", "4.20.4+39-gf1e1321c87-1", true},
		{"7.2", "", false},
	} {
		if got := InSeries(tc.series, tc.version); got != tc.want {
			t.Errorf("%s in series %s: %t, want %t", tc.version, tc.series, got, tc.want)
		}
	}
	for version, want := range map[string]string{"1:10.0.2+ds-2": "10.0", "6.13~rc1-1": "6.13", "12-1": "12", "unknown": ""} {
		if got := Series(version); got != want {
			t.Errorf("the series of %s is %q, want %q", version, got, want)
		}
	}
}
