package matrix

import (
	"strings"
	"testing"
)

func TestARangeOfPackageVersions(t *testing.T) {
	for _, tc := range []struct {
		written, version string
		want             bool
	}{
		// A series holds all its builds, whatever epoch the package has.
		{"<= 11.3", "11.3.0-3+deb13u3", true},
		{"> 11.3", "11.3.0-3+deb13u3", false},
		{"= 11.1", "1:11.1.2+ds-3", true},
		{"< 11.1", "1:10.0.13+ds-0+deb13u1", true},
		{">= 11.1", "1:10.0.13+ds-0+deb13u1", false},
		{">= 6.2, < 10", "1:7.2+dfsg-7", true},
		{">= 6.2, < 10", "1:10.0.2-1", false},
		{"= 6.1", "6.12.107-1", false},
		{"!= 9.0", "9.0.0-4", false},
		// A revision is meant as it is written: the build that has the fix.
		{"< 11.3.0-3+deb13u4", "11.3.0-3+deb13u3", true},
		{"< 11.3.0-3+deb13u3", "11.3.0-3+deb13u3", false},
		{"< 10.0.13+ds-1", "1:10.0.13+ds-0+deb13u1", true},
		// An epoch counts where it is written.
		{"< 2:1.0-1", "1:11.1.2+ds-3", true},
		{">= 1:11", "1:11.1.2+ds-3", true},
	} {
		r, err := ParseRange(tc.written)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Has(tc.version, Compare); got != tc.want {
			t.Errorf("%q has %s: %v, want %v", tc.written, tc.version, got, tc.want)
		}
	}
}

func TestARangeGoesByTheOrderOfItsRepository(t *testing.T) {
	r, err := ParseRange("<= 1.0-1")
	if err != nil {
		t.Fatal(err)
	}
	// "^" is before a letter for Debian, and after the end for RPM.
	if r.Has("1.0^git1-1", CompareRPM) {
		t.Error("RPM has a snapshot after the release before it")
	}
}

func TestWhatIsNoRange(t *testing.T) {
	for written, want := range map[string]string{
		"11.1":          "is no comparison",
		"":              "is no comparison",
		">= x y":        "is not a version",
		"< 9, >= 11":    "no version can be",
		">= 9.0, < 9.0": "no version can be",
	} {
		if _, err := ParseRange(written); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", written, err, want)
		}
	}
}
