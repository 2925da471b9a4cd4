package apt

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/virtmatrix/virtmatrix/internal/source"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// stack adds to the archive what two components look like in one.
func (a *archive) stack(t *testing.T) {
	t.Helper()
	a.add(t, "manager", "9.0-1+b1", "Source: manage (9.0-1)\nPre-Depends: libc\nDepends: toolkit-api (>= 4), libapp | other\nBreaks: old-manager (<< 8), x", "usr/bin/manager")
	a.add(t, "manager-docs", "9.0-1", "Source: manage", "usr/share/manager-docs")
	a.add(t, "hyper-4.17", "4.17-1", "Source: hyper\nConflicts: hyper-4.14", "usr/bin/hyper")
	a.add(t, "libhyper", "4.17-1", "Source: hyper\nProvides: toolkit-api (= 4.17), y", "usr/lib/libhyper")
	a.add(t, "hyper-docs", "4.17-1", "Source: hyper", "usr/share/hyper-docs")
	a.publish(t)
}

var components = []string{"hyper-4.*", "manager"}

func records(t *testing.T, s *Source) []matrix.Record {
	t.Helper()
	out, err := s.Records(t.Context(), "test", components)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestRecordsAreOfTheComponentsAndOfWhatTheyNeedOfEachOther(t *testing.T) {
	a := newArchive(t)
	a.stack(t)
	want := []matrix.Record{
		{Release: "test", Package: "hyper-4.17", Version: "4.17-1", Source: "hyper", Conflicts: []string{"hyper-4.14"}},
		// It is not a component by name, but one needs it and it is built with one.
		{Release: "test", Package: "libhyper", Version: "4.17-1", Source: "hyper", Provides: []string{"toolkit-api (= 4.17)", "y"}},
		{Release: "test", Package: "manager", Version: "9.0-1+b1", Source: "manage",
			Depends: []string{"libc", "toolkit-api (>= 4)", "libapp | other"}, Breaks: []string{"old-manager (<< 8)", "x"}},
	}
	s := a.source(t, nil)
	for _, when := range []string{"read from the lists", "noted next to them"} {
		if diff := cmp.Diff(want, records(t, s)); diff != "" {
			t.Errorf("%s: %s", when, diff)
		}
	}
}

func TestRecordsAreNotedAsLongAsTheListsAreTheSame(t *testing.T) {
	a := newArchive(t)
	a.stack(t)
	s := a.source(t, nil)
	before := records(t, s)
	lists := filepath.Join(s.releaseDir("test"), "state")
	if err := os.Rename(lists, lists+".away"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, records(t, s)); diff != "" {
		t.Errorf("the second answer, without reading the lists: %s", diff)
	}
	if err := os.Rename(lists+".away", lists); err != nil {
		t.Fatal(err)
	}
	a.add(t, "manager", "9.1-1", "Source: manage", "usr/bin/manager")
	a.publish(t)
	fresh := a.source(t, func(o *Options) { o.Home, o.Fresh = s.opts.Home, true })
	got := records(t, fresh)
	if last := got[len(got)-1]; last.Version != "9.1-1" {
		t.Errorf("after an update the record is %+v", last)
	}
}

func TestRecordsAreInTheVersionThatWouldBeInstalled(t *testing.T) {
	a := newArchive(t)
	a.stack(t)
	a.suite = "next"
	a.add(t, "manager", "8.0-1", "Source: manage", "usr/bin/manager")
	a.publish(t)
	s := a.source(t, func(o *Options) {
		o.Releases[0].Repositories, o.Releases[0].Parents = suites("next"), suites("stable")
	})
	var got []string
	for _, r := range records(t, s) {
		got = append(got, r.Package+" "+r.Version)
	}
	// The manager of the leading suite is taken, though it is older.
	if diff := cmp.Diff([]string{"hyper-4.17 4.17-1", "manager 8.0-1"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestRecordsOfNothing(t *testing.T) {
	s := newArchive(t).source(t, nil)
	if got := records(t, s); len(got) != 0 {
		t.Errorf("an archive without the components has %+v", got)
	}
	if _, err := s.Records(t.Context(), "test", []string{"[a"}); err == nil || !strings.Contains(err.Error(), `pattern "[a"`) {
		t.Errorf("a pattern that is none: %v", err)
	}
}

func TestRecordsOfAMirrorThatIsDown(t *testing.T) {
	s := newArchive(t).source(t, func(o *Options) { o.Mirror = "http://127.0.0.1:1/debian" })
	_, err := s.Records(t.Context(), "test", components)
	wantKind(t, err, source.Unreachable)
}

func TestStanzasWithFoldedFields(t *testing.T) {
	var got []map[string]string
	text := "Package: a\nDepends: b,\n c (>= 1),\n\td\nDescription: x\n Package: no\n\n\nPackage: e\nVersion: 1:2\n"
	if err := stanzas(strings.NewReader(text), func(f map[string]string) { got = append(got, f) }); err != nil {
		t.Fatal(err)
	}
	want := []map[string]string{{"Package": "a", "Depends": "b, c (>= 1), d"}, {"Package": "e", "Version": "1:2"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
