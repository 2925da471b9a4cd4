package run

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/virtmatrix/virtmatrix/internal/source"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// listed is a source that only says what it was told of packages.
type listed struct {
	source.Source
	records []matrix.Record
	fail    error

	mu    sync.Mutex
	asked []string
}

func (l *listed) Records(_ context.Context, release string, patterns []string) ([]matrix.Record, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked = append(l.asked, release+": "+strings.Join(patterns, " "))
	var out []matrix.Record
	for _, r := range l.records {
		if r.Release == release {
			out = append(out, r)
		}
	}
	return out, l.fail
}

func defaultCatalog(t *testing.T) *matrix.Catalog {
	t.Helper()
	cat, err := matrix.Default()
	if err != nil {
		t.Fatal(err)
	}
	return cat
}

func sourcesOf(cat *matrix.Catalog, src source.Source) source.Sources {
	sources := source.Sources{}
	for _, r := range cat.Releases {
		sources[r.Name] = src
	}
	return sources
}

func TestOnlyReleasesThatCellsMayComeFromAreAsked(t *testing.T) {
	cat := defaultCatalog(t)
	var all []string
	for _, r := range cat.Releases {
		all = append(all, r.Name)
	}
	slices.Sort(all)
	smoke, err := cat.Profile(matrix.DefaultProfile)
	if err != nil {
		t.Fatal(err)
	}
	pairs := &matrix.Profile{Covers: []matrix.Cover{{Kind: matrix.Xen}}}
	some := &matrix.Profile{Covers: []matrix.Cover{{Kind: matrix.KVM, Axes: []matrix.Varied{
		{Axis: "linux", Values: []string{"6.1"}}, {Axis: "qemu", Values: []string{"7.2"}}, {Axis: "libvirt", Values: []string{"9.0", "11.3"}},
	}}}}
	for name, tc := range map[string]struct {
		profile  *matrix.Profile
		change   *matrix.Change
		kinds    []matrix.Kind
		releases []string
	}{
		"fixed cells":       {smoke, nil, []matrix.Kind{matrix.KVM, matrix.Xen}, []string{"bookworm", "trixie"}},
		"a change of them":  {smoke, &matrix.Change{}, []matrix.Kind{matrix.KVM, matrix.Xen}, all},
		"cells to generate": {pairs, nil, []matrix.Kind{matrix.Xen}, all},
		"cells of values":   {some, nil, []matrix.Kind{matrix.KVM}, []string{"bookworm", "bookworm-backports", "trixie"}},
		"and a change":      {some, &matrix.Change{Axis: "libvirt", From: "7.0", To: "9.0"}, []matrix.Kind{matrix.KVM}, []string{"bookworm", "bookworm-backports", "bullseye", "trixie"}},
	} {
		kinds, releases := concerned(cat, tc.profile, matrix.Request{Change: tc.change})
		if diff := cmp.Diff(tc.kinds, kinds); diff != "" {
			t.Errorf("%s: kinds %s", name, diff)
		}
		if diff := cmp.Diff(tc.releases, releases); diff != "" {
			t.Errorf("%s: releases %s", name, diff)
		}
	}
}

func TestPatternsAreThoseOfTheKinds(t *testing.T) {
	cat := defaultCatalog(t)
	both, xen := stating(cat, matrix.Kinds()), stating(cat, []matrix.Kind{matrix.Xen})
	if slices.Contains(xen, "libvirt-daemon-driver-qemu") || !slices.Contains(xen, "libvirt-daemon-driver-xen") {
		t.Errorf("the patterns of xen are %q", xen)
	}
	if len(both) <= len(xen) || !slices.IsSorted(both) {
		t.Errorf("the patterns of both kinds are %q", both)
	}
}

func TestWhatPackagesSayBecomesConstraints(t *testing.T) {
	cat := defaultCatalog(t)
	src := &listed{records: []matrix.Record{
		{Release: "bookworm", Package: "qemu-system-x86", Version: "1:7.2-1", Source: "qemu"},
		{Release: "trixie", Package: "libvirt-daemon", Version: "11.3.0-1", Source: "libvirt", Breaks: []string{"qemu-system-x86 (<< 1:8)"}},
	}}
	got, err := newDriver(t).derive(t.Context(), cat, matrix.Request{Profile: matrix.DefaultProfile}, sourcesOf(cat, src))
	if err != nil {
		t.Fatal(err)
	}
	added := got.Constraints[len(cat.Constraints):]
	if len(added) != 1 || added[0].Why != "libvirt 11.3 breaks qemu before 8" {
		t.Errorf("added %+v", added)
	}
	slices.Sort(src.asked)
	if len(src.asked) != 2 || !strings.HasPrefix(src.asked[0], "bookworm: libvirt-daemon ") || !strings.HasPrefix(src.asked[1], "trixie: ") {
		t.Errorf("asked %q", src.asked)
	}
}

func TestAMirrorThatDoesNotAnswerEndsThePlan(t *testing.T) {
	cat := defaultCatalog(t)
	down := &source.Error{Kind: source.Unreachable, Op: "update the index", Release: "bookworm", Mirror: "http://m", Err: errors.New("refused")}
	d := newDriver(t)
	_, err := d.derive(t.Context(), cat, matrix.Request{Profile: matrix.DefaultProfile}, sourcesOf(cat, &listed{fail: down}))
	if !errors.Is(err, down) {
		t.Errorf("the error is %v", err)
	}
	_, err = d.derive(t.Context(), cat, matrix.Request{Profile: "smok"}, nil)
	if err == nil || !strings.Contains(err.Error(), `did you mean "smoke"?`) {
		t.Errorf("a profile that is none: %v", err)
	}
}
