package apt

import (
	"strings"
	"testing"

	"github.com/virtmatrix/virtmatrix/internal/source"
)

func TestTheOldestBuildIsTheOldestOfAllItsPackages(t *testing.T) {
	a := newArchive(t)
	// A rebuild has another version than its source.
	a.add(t, "app", "1:0.9-1+b2", "Source: app (1:0.9-1)\nDepends: libapp (>= 1.9)", "usr/bin/app-old")
	a.add(t, "libapp", "1.9-1", "Source: app (1:0.9-1)", "usr/lib/libapp-old.so")
	a.add(t, "other", "2.0", "", "usr/share/other-old")
	a.publish(t)
	a.suite = "backports"
	a.add(t, "app", "1:1.0-1", "Depends: libapp (>= 2.0)", "usr/bin/app")
	a.add(t, "libapp", "2.1-1", "Source: app (1:1.0-1)", "usr/lib/libapp-new.so")
	a.add(t, "app-extra", "1:1.0-1", "Source: app\nDepends: app", "usr/bin/app-extra")
	a.add(t, "other", "3.0", "", "usr/share/other")
	a.publish(t)
	s := a.source(t, func(o *Options) {
		o.Releases = []source.Release{{Name: "test", Repositories: suites("backports"), Parents: suites("stable"), CheckValidUntil: true}}
	})
	for _, c := range []struct {
		oldest []string
		want   string
	}{
		{appPatterns, "app 1:0.9-1+b2, libapp 1.9-1, other 3.0"},
		{nil, "app 1:1.0-1, app-extra 1:1.0-1, libapp 2.1-1, other 3.0"},
		// Once more, from what was noted.
		{appPatterns, "app 1:0.9-1+b2, libapp 1.9-1, other 3.0"},
		{[]string{"nothing"}, "app 1:1.0-1, app-extra 1:1.0-1, libapp 2.1-1, other 3.0"},
	} {
		set, err := s.Resolve(t.Context(), source.Request{Release: "test", Names: []string{"app", "app-extra", "other"}, Oldest: c.oldest})
		var got []string
		for _, p := range set.Packages {
			got = append(got, p.Name+" "+p.Version)
		}
		if err != nil || strings.Join(got, ", ") != c.want {
			t.Errorf("oldest of %q: got %q, %v, want %s", c.oldest, got, err, c.want)
		}
	}
}
