package matrix

import (
	"slices"
	"strings"
	"testing"
)

func TestParseCandidate(t *testing.T) {
	for text, want := range map[string]Wanted{
		"libvirt=/srv/rebuild":                            {Libvirt, "", "/srv/rebuild"},
		"qemu@bookworm=http://host/debian suite":          {QEMU, "bookworm", "http://host/debian suite"},
		" libvirt = bookworm-backports ":                  {Libvirt, "", "bookworm-backports"},
		"linux@trixie=https://h/x?arch=amd64 ./ unsigned": {Linux, "trixie", "https://h/x?arch=amd64 ./ unsigned"},
	} {
		got, err := ParseCandidate(text)
		if err != nil || got != want {
			t.Errorf("%q is %+v, %v", text, got, err)
		}
		if again, err := ParseCandidate(got.String()); err != nil || again != got {
			t.Errorf("%q is written as %q", text, got)
		}
	}
	for text, words := range map[string]string{
		"": "want COMPONENT=WHERE", "libvirt": "want COMPONENT=WHERE", "libvirt=": "want COMPONENT=WHERE", "libvirt@=x": "want COMPONENT=WHERE",
		"libvrit=/x": `did you mean "libvirt"`, "firmware=/x": "unknown component",
	} {
		if _, err := ParseCandidate(text); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%q: %v, want %q", text, err, words)
		}
	}
}

// offers is a candidate of libvirt with packages of these versions.
func offers(version string) Offer {
	return Offer{Index: "i", Lead: version, Packages: []Package{
		{Name: "libvirt-daemon", Version: version, SHA256: "d1"}, {Name: "libvirt0", Version: version, SHA256: "d2"},
	}}
}

func TestACandidateIsLaidOverTheNearestRelease(t *testing.T) {
	for _, c := range []struct{ lead, over, wantOver, baseline, version string }{
		{"9.0.0-4+rebuild1", "", "bookworm", "9.0", "9.0-candidate"},
		{"9.5.0-1", "", "bookworm", "9.0", "9.5-candidate"},
		{"11.3.0-3", "bookworm", "bookworm", "9.0", "11.3-candidate"},
		{"1:1.0-1", "", "bullseye", "7.0", "1.0-candidate"},
		{"99.1-1", "", "forky", "12.8", "99.1-candidate"},
	} {
		cat, cand, err := catalog(t).With(Wanted{Libvirt, c.over, "/x"}, offers(c.lead))
		if err != nil {
			t.Errorf("%s: %v", c.lead, err)
			continue
		}
		if cand.Over != c.wantOver || cand.Baseline != c.baseline || cand.Version != c.version || cand.Release != c.wantOver+"-candidate" {
			t.Errorf("%s over %q is %+v", c.lead, c.over, cand)
		}
		a, _ := cat.Axis("libvirt")
		names := a.names()
		if !slices.IsSortedFunc(a.Values, func(x, y Value) int { return Compare(x.series(), y.series()) }) || !slices.Contains(names, c.version) {
			t.Errorf("%s: the versions are %v", c.lead, names)
		}
	}
	if _, _, err := catalog(t).With(Wanted{Libvirt, "trixie-backports", "/x"}, offers("9.0")); err == nil || !strings.Contains(err.Error(), "trixie-backports has no libvirt") {
		t.Errorf("over a release without libvirt: %v", err)
	}
	if _, _, err := catalog(t).With(Wanted{Libvirt, "bookwrom", "/x"}, offers("9.0")); err == nil || !strings.Contains(err.Error(), `did you mean "bookworm"`) {
		t.Errorf("over a release that is not there: %v", err)
	}
}

// candidatePlan is a plan of a rebuild of bookworm's libvirt in containers.
func candidatePlan(t *testing.T, checks ...string) (*Catalog, *Plan) {
	t.Helper()
	cat, cand, err := catalog(t).With(Wanted{Libvirt, "", "/x"}, offers("9.0.0-4"))
	if err != nil {
		t.Fatal(err)
	}
	change := cand.Change()
	p, err := New(cat, Request{Profile: "containers", Change: &change, Candidate: cand, Checks: checks})
	if err != nil {
		t.Fatal(err)
	}
	return cat, p
}

func TestARebuildIsAChangeWithABaselineOfItsOwnRelease(t *testing.T) {
	_, p := candidatePlan(t)
	mustPair(t, p)
	native := 0
	for _, c := range candidates(p) {
		if c.Candidate() != Libvirt || c.Userland != "bookworm-candidate" {
			t.Errorf("%s is of %s", c.ID, c.Userland)
		}
		was := p.Cell(c.Baseline)
		if was == nil || was.Userland != "bookworm" || was.Composition != c.Composition || was.Candidate() != "" {
			t.Errorf("the baseline of %s is %+v", c.ID, was)
		}
		if c.Composition == Native {
			native++
		}
	}
	if native == 0 {
		t.Error("no candidate is all of the candidate's release")
	}
}

func TestTheBaselineOfACandidateIsOfTheReleaseBelow(t *testing.T) {
	for _, release := range []string{"trixie", "bookworm-backports"} {
		cat, cand, err := catalog(t).With(Wanted{Libvirt, release, "/x"}, offers("11.3.0-9"))
		if err != nil {
			t.Fatal(err)
		}
		change := cand.Change()
		p, err := New(cat, Request{Profile: "containers", Change: &change, Candidate: cand})
		if err != nil {
			t.Fatal(err)
		}
		mustPair(t, p)
		for _, c := range candidates(p) {
			if was := p.Cell(c.Baseline); was != nil && was.Userland != release || c.Userland != release+"-candidate" {
				t.Errorf("%s of %s has the baseline %s of %s", c.ID, c.Userland, was.ID, was.Userland)
			}
		}
	}
}

func TestOnlyACandidateIsAskedAboutItsDelivery(t *testing.T) {
	cat, p := candidatePlan(t)
	asked := 0
	for _, c := range p.Cells {
		for _, check := range c.Checks {
			if check.Layer() != LayerDelivery {
				continue
			}
			if c.Candidate() == "" {
				t.Errorf("%s is asked %s", c.ID, check.ID)
			}
			if check.Asked() {
				asked++
			}
		}
	}
	kinds := 0
	for _, c := range cat.Checks {
		if c.delivers() && !c.Draft && len(c.Requires) == 1 {
			kinds++
		}
	}
	if asked != kinds {
		t.Errorf("%d questions about the delivery, want each of %d once: all cells have the same libvirt", asked, kinds)
	}
	for _, c := range mustPlan(t, "smoke").Cells {
		for _, check := range c.Checks {
			if check.Layer() == LayerDelivery {
				t.Errorf("%s, which has no candidate, shows %s", c.ID, check.ID)
			}
		}
	}
}

func TestOnlyWhatAReleasePublishesIsAskedOfACandidate(t *testing.T) {
	aside := []Repository{{Name: "aside"}}
	all := Publishes{RepositoryFiles: []string{"release-files"}, Debuginfo: aside, Sources: aside}
	for name, c := range map[string]struct {
		publishes Publishes
		published bool
		want      string
	}{
		"nothing":        {Publishes{}, true, ""},
		"all":            {all, true, "D-DEBUGINFO D-REPOS D-SOURCES"},
		"files":          {all, false, "D-REPOS"},
		"no debuginfo":   {Publishes{Sources: aside}, true, "D-SOURCES"},
		"only debuginfo": {Publishes{Debuginfo: aside}, true, "D-DEBUGINFO"},
	} {
		cat := catalog(t)
		for i := range cat.Releases {
			if cat.Releases[i].Name == "bookworm" {
				cat.Releases[i].Publishes = c.publishes
			}
		}
		offer := offers("9.0.0-4")
		offer.Published = c.published
		cat, cand, err := cat.With(Wanted{Libvirt, "", "/x"}, offer)
		if err != nil {
			t.Fatal(err)
		}
		change := cand.Change()
		p, err := New(cat, Request{Profile: "containers", Change: &change, Candidate: cand, Checks: []string{"D-*"}})
		if err != nil {
			t.Fatal(err)
		}
		var asked []string
		for _, cell := range p.Cells {
			for _, check := range cell.Checks {
				spec, err := cat.Check(check.ID)
				if err != nil {
					t.Fatal(err)
				}
				if check.Asked() && len(spec.Requires) > 1 {
					asked = append(asked, check.ID)
				}
			}
		}
		slices.Sort(asked)
		if got := strings.Join(asked, " "); got != c.want {
			t.Errorf("%s: asked is %q, want %q", name, got, c.want)
		}
	}
}

func mustPlan(t *testing.T, profile string) *Plan {
	t.Helper()
	p, err := New(catalog(t), Request{Profile: profile})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestWhatTheSolverRefusesIsAskedAboutInEachCell(t *testing.T) {
	cat, p := candidatePlan(t, "O-CONN")
	for i := range p.Cells {
		if p.Cells[i].Candidate() != "" {
			p.Cells[i].Refused = "unmet"
		}
	}
	if _, err := cat.Check(RefusedCheck); err != nil {
		t.Skip("the list of checks is to be made again") // make checks
	}
	cat.AskRefused(p)
	for _, c := range p.Cells {
		asked := slices.ContainsFunc(c.Checks, func(k PlannedCheck) bool { return k.ID == RefusedCheck && k.Asked() })
		if asked != (c.Refused != "") {
			t.Errorf("%s is asked %v", c.ID, c.Checks)
		}
	}
}

func TestACandidateThatNobodyLookedAtIsNotPlanned(t *testing.T) {
	w := Wanted{Libvirt, "", "/x"}
	if _, err := New(catalog(t), Request{Profile: "containers", Wanted: &w}); err == nil || !strings.Contains(err.Error(), "libvirt=/x") {
		t.Errorf("it is planned: %v", err)
	}
}

func TestDifferences(t *testing.T) {
	was := PackageSet{Source: "apt", Packages: []Package{{Name: "a", Version: "1", SHA256: "1"}, {Name: "b", Version: "1", SHA256: "1"}, {Name: "c", Version: "2", SHA256: "1"}, {Name: "d", Version: "1", SHA256: "1"}, {Name: "e", Version: "1", SHA256: "1"}}}
	now := PackageSet{Source: "apt", Packages: []Package{{Name: "a", Version: "1", SHA256: "1"}, {Name: "b", Version: "1", SHA256: "2"}, {Name: "c", Version: "1", SHA256: "2"}, {Name: "d", Version: "1:0", SHA256: "2"}, {Name: "f", Version: "1", SHA256: "1"}}}
	var got []string
	for _, d := range Differences(was, now) {
		got = append(got, d.Name+" "+string(d.Way))
	}
	if want := []string{"b rebuilt", "c down", "d up", "e removed", "f added"}; !slices.Equal(got, want) {
		t.Errorf("they differ in %q, want %q", got, want)
	}
	sets := map[string]PackageSet{"was": was, "now": now}
	if d := Differing(sets, []ImageRef{{Role: "u", Packages: "was"}}, []ImageRef{{Role: "u", Packages: "now"}, {Role: "q", Packages: "now"}}); len(d) != 5 {
		t.Errorf("hosts of other images differ in %v", d)
	}
}
