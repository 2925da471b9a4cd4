package matrix

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func TestParseChange(t *testing.T) {
	for text, want := range map[string]Change{
		"libvirt=9.0..11.3":                {"libvirt", "9.0", "11.3"},
		"machine=pc-q35-7.2..pc-q35-10.0":  {"machine", "pc-q35-7.2", "pc-q35-10.0"},
		" qemu = oldest .. newest ":        {"qemu", "oldest", "newest"},
		"firmware=bios..uefi":              {"firmware", "bios", "uefi"},
		"linux=6.1~rc1+b2..1:6.12-1~bpo12": {"linux", "6.1~rc1+b2", "1:6.12-1~bpo12"},
	} {
		if got, err := ParseChange(text); err != nil || got != want {
			t.Errorf("%q is %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "libvirt", "libvirt=9.0", "libvirt=9.0..", "libvirt=..9.0", "=9.0..11.3", "libvirt 9.0..11.3", "libvirt=9.0-11.3"} {
		got, err := ParseChange(text)
		if err == nil || !strings.Contains(err.Error(), "want AXIS=FROM..TO, such as libvirt=9.0..11.3") {
			t.Errorf("%q is %v, %v", text, got, err)
		}
	}
}

// candidates are the cells with the new value of the plan's change.
func candidates(p *Plan) []Cell {
	var out []Cell
	for _, cell := range p.Cells {
		if value, _ := cell.Value(p.Change.Axis); value == p.Change.To {
			out = append(out, cell)
		}
	}
	return out
}

// difference lists the axes on which two cells differ.
func difference(t *testing.T, a, b *Cell) []string {
	t.Helper()
	var out []string
	for _, choice := range a.Stack {
		if value, _ := b.Value(string(choice.Component)); value != choice.Version {
			out = append(out, string(choice.Component))
		}
	}
	for _, s := range a.Settings {
		if value, _ := b.Value(s.Axis); value != s.Value {
			out = append(out, s.Axis)
		}
	}
	return out
}

// mustPair fails unless each candidate stands before its baseline, differs from
// it in nothing but the change, and there are no other cells.
func mustPair(t *testing.T, p *Plan) {
	t.Helper()
	baselines := map[string]bool{}
	for i := range p.Cells {
		cell := &p.Cells[i]
		if value, _ := cell.Value(p.Change.Axis); value != p.Change.To {
			if !baselines[cell.ID] {
				t.Errorf("%s is neither a candidate nor a baseline of one before it", cell.ID)
			}
			continue
		}
		if cell.Baseline == "" {
			if !strings.Contains(strings.Join(cell.Why, "\n"), "no baseline with "+p.Change.Axis+"="+p.Change.From+": ") {
				t.Errorf("%s has no baseline and does not say why: %q", cell.ID, cell.Why)
			}
			continue
		}
		baselines[cell.Baseline] = true
		was := p.Cell(cell.Baseline)
		if was == nil {
			t.Fatalf("the baseline of %s is not in the plan: %s", cell.ID, cell.Baseline)
		}
		if value, _ := was.Value(p.Change.Axis); value != p.Change.From {
			t.Errorf("the baseline of %s has %s %s", cell.ID, p.Change.Axis, value)
		}
		if !slices.ContainsFunc(was.Why, func(why string) bool { return strings.HasPrefix(why, "baseline of "+cell.ID) }) {
			t.Errorf("%s does not say that it is the baseline of %s: %q", was.ID, cell.ID, was.Why)
		}
		for _, axis := range difference(t, cell, was) {
			moves := slices.Contains(tied[cell.Kind], Component(p.Change.Axis)) && slices.Contains(tied[cell.Kind], Component(axis))
			if axis != p.Change.Axis && !moves {
				t.Errorf("%s and its baseline differ in %s", cell.ID, axis)
			}
			if axis != p.Change.Axis && !strings.Contains(strings.Join(was.Why, "\n"), axis+" moves along from ") {
				t.Errorf("%s does not say that %s moved along: %q", was.ID, axis, was.Why)
			}
		}
	}
}

// changed is an oracle for the candidates of a plan.
func changed(t *testing.T, c *Catalog, cov Cover, p *Plan) *oracle {
	t.Helper()
	a, err := c.Axis(p.Change.Axis)
	if err != nil {
		t.Fatal(err)
	}
	cov = narrowed(c.widened(cov, a, *p.Change), a.Name, p.Change.To)
	o := &oracle{catalog: c, cover: cov}
	// Settings that do not vary may be pinned to what both sides can have.
	values := map[string]string{}
	for _, s := range candidates(p)[0].Settings {
		if !strings.Contains(s.Axis, "machine") || a.Name != "qemu" {
			continue
		}
		if !slices.ContainsFunc(cov.Axes, func(v Varied) bool { return v.Axis == s.Axis }) {
			values[s.Axis] = s.Value
		}
	}
	o.extend(t, values, 0)
	return o
}

// withChange keeps the combinations with the new value.
func withChange(combinations map[string]string, change *Change) map[string]string {
	out := map[string]string{}
	for combination, id := range combinations {
		if slices.Contains(strings.Fields(combination), change.Axis+"="+change.To) {
			out[combination] = id
		}
	}
	return out
}

// mustCoverChange compares what a plan says of its candidates with what the
// oracle counts.
func mustCoverChange(t *testing.T, o *oracle, p *Plan, cov *Coverage) {
	t.Helper()
	own := slices.DeleteFunc(candidates(p), func(c Cell) bool { return c.Kind != cov.Kind })
	valid := withChange(o.combinations(cov.Strength, o.cells), p.Change)
	covered := withChange(o.combinations(cov.Strength, own), p.Change)
	for combination := range valid {
		if covered[combination] == "" {
			t.Errorf("%s is in no candidate", combination)
		}
	}
	if cov.Valid != len(valid) || cov.Covered != len(covered) || len(cov.Missing) > 0 {
		t.Errorf("the plan counts %d of %d, missing %v; there are %d of %d", cov.Covered, cov.Valid, cov.Missing, len(covered), len(valid))
	}
	// What a pair could show, a pair shows.
	var pairable []Cell
	for i := range o.cells {
		if o.pairable(&o.cells[i], p.Change) {
			pairable = append(pairable, o.cells[i])
		}
	}
	paired := slices.DeleteFunc(slices.Clone(own), func(c Cell) bool { return c.Baseline == "" })
	shown := withChange(o.combinations(cov.Strength, paired), p.Change)
	for combination, id := range withChange(o.combinations(cov.Strength, pairable), p.Change) {
		if shown[combination] == "" {
			t.Errorf("%s is in no candidate with a baseline, but %s could have one", combination, id)
		}
	}
}

// pairable says whether the cell can have a baseline. It says no where others
// would have to move along.
func (o *oracle) pairable(cell *Cell, change *Change) bool {
	values := map[string]string{}
	for _, choice := range cell.Stack {
		values[string(choice.Component)] = choice.Version
	}
	for _, s := range cell.Settings {
		values[s.Axis] = s.Value
	}
	values[change.Axis] = change.From
	was, err := o.catalog.cell(cell.Kind, cell.Tier, values)
	return err == nil && allowed(&was, slices.Concat(o.catalog.Constraints, o.cover.Exclude)) == nil
}

func TestChangesOfTheCatalogArePaired(t *testing.T) {
	c := catalog(t)
	for _, change := range []Change{
		{"libvirt", "9.0", "11.3"}, {"libvirt", "11.3", "9.0"}, {"qemu", "7.2", "10.0"}, {"linux", "6.1", "7.3"},
		{"xen", "4.17", "4.20"}, {"xen", "4.20", "4.14"}, {"firmware", "bios", "uefi"}, {"machine", "pc-q35-5.2", "pc-q35-7.2"},
	} {
		t.Run(change.String(), func(t *testing.T) {
			p, err := New(c, Request{Profile: "nightly", Change: &change})
			if err != nil {
				t.Fatal(err)
			}
			mustPair(t, p)
			profile, err := c.Profile("nightly")
			if err != nil {
				t.Fatal(err)
			}
			for i := range p.Coverage {
				for _, cov := range profile.Covers {
					if cov.Kind == p.Coverage[i].Kind {
						mustCoverChange(t, changed(t, c, cov, p), p, &p.Coverage[i])
					}
				}
			}
		})
	}
}

func TestRandomChangesArePaired(t *testing.T) {
	planned, pairs := 0, 0
	eachCatalog(t, func(t *testing.T, c *Catalog, rng *rand.Rand) {
		cov := c.Profiles[0].Covers[0]
		axes := c.KindAxes(cov.Kind)
		a := axes[rng.IntN(len(axes))]
		values := a.names()
		i := rng.Perm(len(values))
		change := Change{Axis: a.Name, From: values[i[0]], To: values[i[1]]}
		p, err := New(c, Request{Profile: "p", Change: &change})
		if err != nil {
			if !strings.Contains(err.Error(), "no "+cov.name()+" cell can") {
				t.Error(err)
			}
			return
		}
		planned++
		mustPair(t, p)
		o := changed(t, c, cov, p)
		o.mustBeAllowed(t, p.Cells)
		mustCoverChange(t, o, p, &p.Coverage[0])
		for _, cell := range p.Cells {
			if cell.Baseline != "" {
				pairs++
			}
		}
	})
	if planned < 10 || pairs < planned {
		t.Errorf("only %d catalogues with %d pairs could be planned", planned, pairs)
	}
}

func TestPairKeepsItsMachine(t *testing.T) {
	// The profile does not vary the machine, so that its default follows qemu.
	c := catalog(t)
	profile, err := c.Profile("nightly")
	if err != nil {
		t.Fatal(err)
	}
	profile.Covers = profile.Covers[:1]
	profile.Covers[0].Axes = slices.DeleteFunc(profile.Covers[0].Axes, func(v Varied) bool { return v.Axis == "machine" })
	for _, change := range []Change{{"qemu", "7.2", "10.0"}, {"qemu", "10.0", "7.2"}} {
		p, err := New(c, Request{Profile: "nightly", Change: &change})
		if err != nil {
			t.Fatal(err)
		}
		mustPair(t, p)
		for _, cell := range p.Cells {
			// The older emulator has no later one.
			if machine, _ := cell.Value("machine"); machine != "pc-q35-7.2" {
				t.Errorf("%s: %s has the machine %s", change, cell.ID, machine)
			}
		}
	}
}

func TestSelectedCandidateKeepsItsBaseline(t *testing.T) {
	p := plan(t, Request{Profile: "nightly", Change: &Change{"libvirt", "9.0", "11.3"}, Cells: []string{"xen_linux-6.1_*libvirt-11.3"}})
	var got []string
	for _, cell := range p.Cells {
		got = append(got, cell.ID)
	}
	if want := []string{"xen_linux-6.1_xen-4.20_libvirt-11.3", "xen_linux-6.1_xen-4.17_libvirt-9.0"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestChangeUnderABudget(t *testing.T) {
	for budget := 4; budget < 24; budget++ {
		p := plan(t, Request{Profile: "nightly", Change: &Change{"libvirt", "9.0", "11.3"}, Budget: budget})
		if len(p.Cells) > budget {
			t.Errorf("a budget of %d has %d cells", budget, len(p.Cells))
		}
		mustPair(t, p)
	}
}
