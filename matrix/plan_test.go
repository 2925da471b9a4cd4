package matrix

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func written(t *testing.T, p *Plan) string {
	t.Helper()
	var b bytes.Buffer
	if err := p.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func sealed(t *testing.T) *Plan {
	t.Helper()
	p := plan(t, Request{Profile: "smoke"})
	p.PackageSets = map[string]PackageSet{"abc": {Source: "apt", Release: "bookworm", Packages: []Package{{Name: "qemu", Version: "1:7.2+dfsg-7"}}}}
	if err := p.Seal(); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestAPlanHasTheTiersOfItsCells(t *testing.T) {
	p := &Plan{Cells: []Cell{{Tier: Nested}}}
	if p.Has(Container) || !p.Has(Nested) {
		t.Error("a plan of machines has containers, or no machines")
	}
}

func TestPlanSurvivesItsFile(t *testing.T) {
	p := sealed(t)
	got, err := ReadPlan(strings.NewReader(written(t, p)))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(p, got); d != "" {
		t.Error(d)
	}
}

func TestSamePlanHasTheSameFile(t *testing.T) {
	if a, b := written(t, sealed(t)), written(t, sealed(t)); a != b {
		t.Error(cmp.Diff(a, b))
	}
}

func TestPlanFileIsRefused(t *testing.T) {
	good := written(t, sealed(t))
	for _, c := range []struct{ about, text, want string }{
		{"edited", strings.Replace(good, `"profile": "smoke"`, `"profile": "smoky"`, 1), "it was edited after planning, plan again"},
		{"not sealed", written(t, plan(t, Request{Profile: "smoke"})), "it was edited after planning, plan again"},
		{"of another format", strings.Replace(good, `"version": 3`, `"version": 9`, 1), "it has format 9, this virtmatrix reads format 3; plan again"},
		{"with an unknown key", strings.Replace(good, `"profile"`, `"profil"`, 1), `cannot read plan: json: unknown field "profil"`},
		{"with more after it", good + "{}", "cannot read plan: something follows after its end"},
		{"cut short", good[:len(good)/2], "cannot read plan: unexpected EOF"},
		{"empty", "", "cannot read plan: EOF"},
	} {
		t.Run(c.about, func(t *testing.T) {
			p, err := ReadPlan(strings.NewReader(c.text))
			if err == nil || !strings.Contains(err.Error(), c.want) || p != nil {
				t.Errorf("got %v\nwant %s", err, c.want)
			}
		})
	}
}

func TestPackageSetKeyIsItsContent(t *testing.T) {
	a := Package{Name: "libvirt0", Version: "9.0.0-4", Arch: "amd64", SHA256: "aa"}
	b := Package{Name: "qemu-system-x86", Version: "1:7.2", Arch: "amd64", SHA256: "bb"}
	rebuilt := b
	rebuilt.SHA256 = "cc"
	key := func(release string, packages ...Package) string {
		return (&PackageSet{Source: "apt", Release: release, Packages: packages}).Key()
	}
	if key("bookworm", a, b) != key("bookworm", b, a) {
		t.Error("the order of packages changes the key")
	}
	if key("bookworm", a, b) == key("bookworm", a, rebuilt) {
		t.Error("a rebuilt package keeps the key")
	}
	if key("bookworm", a) == key("trixie", a) {
		t.Error("another release keeps the key")
	}
}
