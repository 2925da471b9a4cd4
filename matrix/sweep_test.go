package matrix

import (
	"bytes"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// mustCover compares what a plan says of a cover with what the oracle counts.
func mustCover(t *testing.T, o *oracle, p *Plan, cov *Coverage) {
	t.Helper()
	valid := o.combinations(cov.Strength, o.cells)
	covered := o.combinations(cov.Strength, p.Cells)
	for combination := range valid {
		if covered[combination] == "" {
			t.Errorf("%s is in no cell of the plan", combination)
		}
	}
	for combination, id := range covered {
		if valid[combination] == "" {
			t.Errorf("%s in %s is not allowed", combination, id)
		}
	}
	if cov.Valid != len(valid) || cov.Covered != len(covered) || len(cov.Missing) > 0 {
		t.Errorf("the plan counts %d of %d, missing %v; there are %d of %d", cov.Covered, cov.Valid, cov.Missing, len(covered), len(valid))
	}
	if want := o.total(cov.Strength) - len(valid); len(cov.Excluded) != want {
		t.Errorf("the plan excludes %d combinations, want %d", len(cov.Excluded), want)
	}
	for _, e := range cov.Excluded {
		if e.Why == "" {
			t.Errorf("%s is excluded for no reason", e.Tuple)
		}
	}
}

func TestNightlyCoversEachPairThatIsAllowed(t *testing.T) {
	c := catalog(t)
	p := plan(t, Request{Profile: "nightly"})
	profile, err := c.Profile("nightly")
	if err != nil {
		t.Fatal(err)
	}
	product := 0
	for i, cov := range profile.Covers {
		o := newOracle(t, c, cov)
		product += len(o.cells)
		kind := *p
		kind.Cells = slices.DeleteFunc(slices.Clone(p.Cells), func(cell Cell) bool { return cell.Kind != cov.Kind })
		o.mustBeAllowed(t, kind.Cells)
		mustCover(t, o, &kind, &p.Coverage[i])
	}
	if len(p.Cells)*20 > product {
		t.Errorf("%d cells are not far fewer than the %d that there could be", len(p.Cells), product)
	}
}

func TestSameProfileHasTheSameCells(t *testing.T) {
	var want []Cell
	for range 3 {
		got := plan(t, Request{Profile: "nightly"}).Cells
		if want == nil {
			want = got
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Fatal(d)
		}
	}
}

func TestPlanWithCoverageSurvivesItsFile(t *testing.T) {
	p := plan(t, Request{Profile: "nightly", Change: &Change{Axis: "libvirt", From: "9.0", To: Newest}, Budget: 12})
	if err := p.Seal(); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := p.Write(&b); err != nil {
		t.Fatal(err)
	}
	got, err := ReadPlan(&b)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(p, got); d != "" {
		t.Error(d)
	}
}

func TestRandomCatalogsAreCovered(t *testing.T) {
	planned := 0
	eachCatalog(t, func(t *testing.T, c *Catalog, _ *rand.Rand) {
		cov := c.Profiles[0].Covers[0]
		o := newOracle(t, c, cov)
		dead := o.dead()
		p, err := New(c, Request{Profile: "p"})
		if len(dead) > 0 {
			if err == nil {
				t.Fatalf("there is a plan, but no cell can have %s", dead)
			}
			for _, d := range dead {
				if len(o.cells) > 0 && !strings.Contains(err.Error(), "can have "+d+":") {
					t.Errorf("%v\ndoes not say that no cell can have %s", err, d)
				}
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		planned++
		o.mustBeAllowed(t, p.Cells)
		mustCover(t, o, p, &p.Coverage[0])
		o.mustHaveEvery(t, cov.Every, p.Cells)
		for _, cell := range p.Cells {
			if len(cell.Why) == 0 {
				t.Errorf("%s is there for no reason", cell.ID)
			}
		}
	})
	if planned < 10 {
		t.Errorf("only %d catalogues could be planned", planned)
	}
}

// dead lists the values that no cell has.
func (o *oracle) dead() []string {
	live := o.combinations(1, o.cells)
	var out []string
	for _, v := range o.cover.Axes {
		for _, value := range v.Values {
			if s := v.Axis + "=" + value; live[s] == "" {
				out = append(out, s)
			}
		}
	}
	return out
}

// mustHaveEvery fails where a combination of the axes has no cell.
func (o *oracle) mustHaveEvery(t *testing.T, every []string, cells []Cell) {
	t.Helper()
	on := &oracle{}
	for _, v := range o.cover.Axes {
		if slices.Contains(every, v.Axis) {
			on.cover.Axes = append(on.cover.Axes, v)
		}
	}
	have := on.combinations(len(every), cells)
	for combination := range on.combinations(len(every), o.cells) {
		if have[combination] == "" {
			t.Errorf("every %v: %s has no cell", every, combination)
		}
	}
}

func TestFullHasEveryStack(t *testing.T) {
	c, p := catalog(t), plan(t, Request{Profile: "full"})
	left, err := LeftOut(c, p)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range left {
		if !strings.Contains(l.Why, "refuse") && !strings.Contains(l.Why, "must come from one release") {
			t.Errorf("%s is left out: %s", l.ID, l.Why)
		}
	}
}

func TestBudgetTakesWhatCoversMost(t *testing.T) {
	c := catalog(t)
	all := len(plan(t, Request{Profile: "each", Strength: 2}).Cells)
	last := 0
	for budget := 2; budget <= all+1; budget += 7 {
		p, err := New(c, Request{Profile: "each", Strength: 2, Budget: budget})
		if err != nil {
			t.Fatal(err)
		}
		covered := 0
		for _, cov := range p.Coverage {
			if covered += cov.Covered; cov.Valid-cov.Covered != len(cov.Missing) {
				t.Errorf("%d: %d of %d are covered and %d missing", budget, cov.Covered, cov.Valid, len(cov.Missing))
			}
			if !slices.ContainsFunc(p.Cells, func(cell Cell) bool { return cell.Kind == cov.Kind }) {
				t.Errorf("%d: no cell is of %s", budget, cov.Kind)
			}
		}
		if want := min(budget, all); len(p.Cells) != want {
			t.Errorf("a budget of %d has %d cells", budget, len(p.Cells))
		}
		if covered < last {
			t.Errorf("a budget of %d covers %d, a smaller one %d", budget, covered, last)
		}
		last = covered
	}
}

func TestSelectionIsCountedAgain(t *testing.T) {
	p := plan(t, Request{Profile: "nightly", Cells: []string{"xen-4.17"}})
	for _, cov := range p.Coverage {
		want := 0
		if cov.Kind == Xen {
			// 5 versions of linux with one of xen and one of libvirt.
			want = 5 + 5 + 1
		}
		if cov.Covered != want || len(cov.Missing) != cov.Valid-want {
			t.Errorf("%s: %d of %d are covered, %d missing; want %d", cov.Kind, cov.Covered, cov.Valid, len(cov.Missing), want)
		}
	}
}

func TestRecountGoesByTheCellsThatAnswered(t *testing.T) {
	p := plan(t, Request{Profile: "each", Strength: 2})
	cov := &p.Coverage[0]
	covered, missing, err := cov.Recount(p.Cells)
	if err != nil || covered != cov.Valid || len(missing) != 0 {
		t.Errorf("all cells cover %d of %d, missing %v: %v", covered, cov.Valid, missing, err)
	}
	covered, missing, err = cov.Recount(p.Cells[1:])
	if err != nil || covered >= cov.Valid || len(missing) != cov.Valid-covered {
		t.Fatalf("without the first cell, %d of %d are covered and %d missing: %v", covered, cov.Valid, len(missing), err)
	}
	for _, m := range missing {
		if !p.Cells[0].has(m) {
			t.Errorf("%s is missing, which the first cell does not have", m)
		}
	}
	if covered, _, err = cov.Recount(nil); err != nil || covered != 0 {
		t.Errorf("no cells cover %d: %v", covered, err)
	}
}

func TestNamedCellsAreAmongTheGenerated(t *testing.T) {
	c := catalog(t).On(false)
	nightly, err := c.Profile("nightly")
	if err != nil {
		t.Fatal(err)
	}
	for _, values := range []map[string]string{
		{"linux": "6.1", "qemu": "7.2", "libvirt": "9.0", "firmware": "uefi"},
		{"linux": "7.3", "qemu": "11.1", "libvirt": "12.8"},
	} {
		cell, err := c.cell(KVM, Nested, values)
		if err != nil {
			t.Fatal(err)
		}
		nightly.Cells = append(nightly.Cells, cell)
	}
	p, err := New(c, Request{Profile: "nightly"})
	if err != nil {
		t.Fatal(err)
	}
	for _, fixed := range nightly.Cells {
		if cell := p.Cell(fixed.ID); cell == nil || cell.Why[0] != "fixed in profile nightly" {
			t.Errorf("%s is in the plan as %v", fixed.ID, cell)
		}
	}
	if got := p.Coverage[0]; got.Covered != got.Valid {
		t.Errorf("%d of %d are covered", got.Covered, got.Valid)
	}
}

func TestWhyNamesWhatIsNew(t *testing.T) {
	p := plan(t, Request{Profile: "each", Strength: 2})
	first := p.Cells[0].Why
	if len(first) != 1 || !strings.HasPrefix(first[0], "first with linux=") || !strings.HasSuffix(first[0], "and 27 other pairs") {
		t.Errorf("the first of 8 axes has 28 new pairs, but says %q", first)
	}
	others, total := regexp.MustCompile(`, and (\d+) other pairs?$`), 0
	for _, cell := range p.Cells {
		total++
		if m := others.FindStringSubmatch(cell.Why[0]); m != nil {
			n, err := strconv.Atoi(m[1])
			if err != nil {
				t.Fatal(err)
			}
			total += n
		}
	}
	if want := p.Coverage[0].Valid + p.Coverage[1].Valid; total != want {
		t.Errorf("the cells are the first with %d pairs, there are %d", total, want)
	}
}

// BenchmarkNightly plans what a night runs. The rows are its cells; the product
// is how many there are without a cover.
func BenchmarkNightly(b *testing.B) {
	c, err := Default()
	if err != nil {
		b.Fatal(err)
	}
	var p *Plan
	for b.Loop() {
		if p, err = New(c, Request{Profile: "nightly"}); err != nil {
			b.Fatal(err)
		}
	}
	product := 0
	for _, cov := range p.Coverage {
		n := 1
		for _, a := range cov.Axes {
			n *= len(a.Values)
		}
		product += n
	}
	b.ReportMetric(float64(len(p.Cells)), "rows")
	b.ReportMetric(float64(product), "product")
}
