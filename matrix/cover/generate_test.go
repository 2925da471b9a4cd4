package cover

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// stack is a model of the kind that this package is for.
func stack() Model {
	return Model{
		Axes: []Axis{
			{Name: "linux", Levels: []string{"5.10", "6.1", "6.12", "7.3"}},
			{Name: "qemu", Levels: []string{"5.2", "7.2", "10.0", "11.1"}},
			{Name: "libvirt", Levels: []string{"7.0", "9.0", "11.3", "12.8"}},
			{Name: "machine", Levels: []string{"pc-5.2", "q35-5.2", "q35-7.2", "q35-10.0"}},
			{Name: "firmware", Levels: []string{"bios", "uefi"}},
			{Name: "disk", Levels: []string{"virtio", "scsi", "sata"}},
			{Name: "accel", Levels: []string{"kvm", "tcg"}},
			{Name: "security", Levels: []string{"none", "apparmor"}},
		},
		Forbidden: []Forbidden{
			{Tuple{{"qemu", "5.2"}, {"machine", "q35-7.2"}}, "newer machine than qemu"},
			{Tuple{{"qemu", "5.2"}, {"machine", "q35-10.0"}}, "newer machine than qemu"},
			{Tuple{{"qemu", "7.2"}, {"machine", "q35-10.0"}}, "newer machine than qemu"},
			{Tuple{{"qemu", "11.1"}, {"machine", "pc-5.2"}}, "removed"},
			{Tuple{{"qemu", "11.1"}, {"machine", "q35-5.2"}}, "removed"},
			{Tuple{{"libvirt", "12.8"}, {"qemu", "5.2"}}, "libvirt needs qemu 6.2"},
			{Tuple{{"libvirt", "7.0"}, {"security", "apparmor"}}, "bundled"},
			{Tuple{{"machine", "pc-5.2"}, {"disk", "sata"}}, "no AHCI on pc"},
		},
	}
}

// generated spends little effort unless told how much: most tests are not about
// the number of rows.
func generated(t *testing.T, m Model, opts Options) Array {
	t.Helper()
	if opts.Effort == 0 {
		opts.Effort = 2_000_000
	}
	a, err := Generate(t.Context(), m, opts)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestStackIsCoveredInFarFewerRowsThanItsProduct(t *testing.T) {
	for strength, atMost := range map[int]int{1: 4, 2: 20, 3: 90} {
		a := generated(t, stack(), Options{Strength: strength})
		cov := mustCover(t, stack(), strength, a.Rows)
		if len(a.Rows) > atMost {
			t.Errorf("strength %d: %d rows for %d tuples, want at most %d", strength, len(a.Rows), cov.Valid, atMost)
		}
	}
}

func TestAllStrengths(t *testing.T) {
	m := levels(3, 3, 2, 4)
	for strength := 1; strength <= MaxStrength; strength++ {
		a := generated(t, m, Options{Strength: strength, Effort: 1_000_000})
		mustCover(t, m, strength, a.Rows)
	}
}

func TestSameSeedSameArray(t *testing.T) {
	opts := Options{Strength: 2, Seed: 3, Effort: 2_000_000, Must: []Tuple{{{"qemu", "7.2"}}}}
	first := generated(t, stack(), opts)
	if diff := cmp.Diff(first, generated(t, stack(), opts)); diff != "" {
		t.Errorf("two runs differ:\n%s", diff)
	}
	opts.Seed = 4
	if cmp.Equal(first.Rows, generated(t, stack(), opts).Rows) {
		t.Error("another seed gave the same rows")
	}
}

func TestMoreEffortNeverGivesMoreRows(t *testing.T) {
	last := 1 << 30
	for _, effort := range []int{1, 100_000, 1_000_000, 10_000_000} {
		n := len(generated(t, levels(4, 6, 3, 6), Options{Strength: 2, Effort: effort}).Rows)
		if n > last {
			t.Errorf("%d rows with effort %d, %d with less", n, effort, last)
		}
		last = n
	}
}

func TestMustRowsAreThere(t *testing.T) {
	must := []Tuple{
		{{"linux", "6.1"}, {"qemu", "7.2"}, {"libvirt", "9.0"}},
		{{"linux", "6.12"}, {"qemu", "10.0"}, {"libvirt", "11.3"}},
		{{"linux", "6.12"}, {"qemu", "10.0"}, {"libvirt", "9.0"}},
		{{"linux", "6.1"}, {"qemu", "7.2"}, {"libvirt", "9.0"}}, // again
		{},
	}
	for _, budget := range []int{0, 4, 6} {
		a := generated(t, stack(), Options{Strength: 2, Must: must, Budget: budget})
		o := &oracle{model: stack()}
		for i, tuple := range must {
			if !o.has(a.Rows[a.Must[i]], tuple) {
				t.Errorf("budget %d: row %v lacks %s", budget, a.Rows[a.Must[i]], tuple)
			}
		}
		if budget == 0 {
			mustCover(t, stack(), 2, a.Rows)
		}
	}
}

func TestRandomMustRows(t *testing.T) {
	for seed := range uint64(30) {
		full := generated(t, stack(), Options{Strength: 2, Seed: seed, Effort: 1000})
		var must []Tuple
		for i, r := range full.Rows[:3] {
			var tuple Tuple
			for j, axis := range stack().Axes {
				if (i+j+int(seed))%3 > 0 {
					tuple = append(tuple, Setting{axis.Name, r[j]})
				}
			}
			must = append(must, tuple)
		}
		a := generated(t, stack(), Options{Strength: 2, Seed: seed + 1, Effort: 200_000, Must: must})
		mustCover(t, stack(), 2, a.Rows)
		for i, tuple := range must {
			if !(&oracle{model: stack()}).has(a.Rows[a.Must[i]], tuple) {
				t.Errorf("seed %d: row of %s is missing", seed, tuple)
			}
		}
	}
}

func TestBudgetTakesTheMostCoverageFirst(t *testing.T) {
	free := stack()
	last := 0
	for budget := 1; budget <= 12; budget++ {
		a := generated(t, free, Options{Strength: 2, Budget: budget, Effort: 100_000})
		cov, err := Verify(free, 2, a.Rows)
		if err != nil {
			t.Fatal(err)
		}
		if len(a.Rows) != budget || a.Complete || len(cov.Invalid) > 0 {
			t.Errorf("budget %d: %d rows, complete %v, %d invalid", budget, len(a.Rows), a.Complete, len(cov.Invalid))
		}
		if !slices.IsSortedFunc(a.New, func(x, y int) int { return y - x }) {
			t.Errorf("budget %d: rows newly cover %v, want most first", budget, a.New)
		}
		if cov.Covered <= last {
			t.Errorf("budget %d covers %d tuples, one row less %d", budget, cov.Covered, last)
		}
		last = cov.Covered
	}
	if a := generated(t, free, Options{Strength: 2, Budget: 1000}); !a.Complete || len(a.Rows) > 20 {
		t.Errorf("a budget that suffices gave %d rows, complete %v", len(a.Rows), a.Complete)
	}
}

func TestBudgetPrefersHeavyLevels(t *testing.T) {
	m := levels(3, 6)
	for i := range m.Axes {
		m.Axes[i].Weights = []float64{1, 1, 50}
	}
	a := generated(t, m, Options{Strength: 2, Budget: 2})
	heavy := 0
	for _, r := range a.Rows {
		for _, l := range r {
			if l == "2" {
				heavy++
			}
		}
	}
	if heavy < 6 {
		t.Errorf("%d of 12 cells at the heavy level in %v", heavy, a.Rows)
	}
}

func TestFreeCellsTakeTheHeaviestLevel(t *testing.T) {
	m := levels(4, 2, 2, 3)
	for i := range m.Axes {
		m.Axes[i].Weights = []float64{1, 3, 2, 0.5}[:len(m.Axes[i].Levels)]
	}
	a := generated(t, m, Options{Strength: 2})
	mustCover(t, m, 2, a.Rows)
	for _, r := range a.Rows {
		for axis, l := range r {
			if l == "1" {
				continue
			}
			r[axis] = "1"
			if cov, err := Verify(m, 2, a.Rows); err != nil || cov.Complete() {
				t.Errorf("row %v covers as much at the heaviest level of axis %d as at %s (%v)", r, axis, l, err)
			}
			r[axis] = l
		}
	}
}

func TestBadInputIsNamed(t *testing.T) {
	axis := func(name string, l ...string) Axis { return Axis{Name: name, Levels: l} }
	for name, tc := range map[string]struct {
		model Model
		opts  Options
		want  []string
	}{
		"no axes":          {Model{}, Options{Strength: 2}, []string{"no axes"}},
		"duplicate axis":   {Model{Axes: []Axis{axis("a", "1"), axis("a", "1")}}, Options{Strength: 2}, []string{"axis a is declared twice"}},
		"duplicate level":  {Model{Axes: []Axis{axis("a", "1", "1")}}, Options{Strength: 1}, []string{"axis a has the level 1 twice"}},
		"all at once":      {Model{Axes: []Axis{axis("a"), axis("", "")}}, Options{Strength: 1}, []string{"a has no levels", "no name", "level without a name"}},
		"bad weight":       {Model{Axes: []Axis{{Name: "a", Levels: []string{"1"}, Weights: []float64{0}}}}, Options{Strength: 1}, []string{"weight 0"}},
		"weights missing":  {Model{Axes: []Axis{{Name: "a", Levels: []string{"1", "2"}, Weights: []float64{1}}}}, Options{Strength: 1}, []string{"1 weights for 2 levels"}},
		"strength 0":       {levels(2, 3), Options{}, []string{"strength 0 is not between 1 and 6"}},
		"strength 7":       {levels(2, 9), Options{Strength: 7}, []string{"strength 7"}},
		"too few axes":     {levels(2, 3), Options{Strength: 4}, []string{"more than the 3 axes"}},
		"absurd size":      {levels(10, 100), Options{Strength: 6}, []string{"1192052400000000 tuples", "lower the strength"}},
		"unknown axis":     {Model{Axes: levels(2, 2).Axes, Forbidden: []Forbidden{{Tuple: Tuple{{"b", "1"}}}}}, Options{Strength: 2}, []string{`no axis "b"`, "a0, a1"}},
		"unknown level":    {levels(2, 2), Options{Strength: 2, Must: []Tuple{{{"a1", "9"}}}}, []string{`no level "9"`, "0, 1"}},
		"axis twice":       {Model{Axes: levels(2, 2).Axes, Forbidden: []Forbidden{{Tuple: Tuple{{"a0", "1"}, {"a0", "0"}}}}}, Options{Strength: 2}, []string{"a0 occurs twice"}},
		"empty forbidden":  {Model{Axes: levels(2, 2).Axes, Forbidden: []Forbidden{{Why: "oops"}}}, Options{Strength: 2}, []string{"(oops)", "every row"}},
		"budget too small": {stack(), Options{Strength: 2, Budget: 1, Must: []Tuple{{}, {{"qemu", "7.2"}}}}, []string{"budget of 1 rows", "2 rows that must be there"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Generate(t.Context(), tc.model, tc.opts)
			for _, want := range tc.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("error = %v, want %q", err, want)
				}
			}
		})
	}
}

func TestContradictionsNameTheConstraints(t *testing.T) {
	m := stack()
	m.Forbidden = append(m.Forbidden,
		Forbidden{Tuple{{"machine", "q35-7.2"}, {"qemu", "7.2"}}, "A"},
		Forbidden{Tuple{{"machine", "q35-7.2"}, {"qemu", "10.0"}}, "B"},
		Forbidden{Tuple{{"machine", "q35-7.2"}, {"qemu", "11.1"}}, "C"},
	)
	_, err := Generate(t.Context(), m, Options{Strength: 2})
	var c *Contradiction
	if !errors.As(err, &c) {
		t.Fatalf("error = %v, want a contradiction", err)
	}
	want := "no valid row has machine=q35-7.2: forbidden by {qemu=5.2, machine=q35-7.2} (newer machine than qemu) and " +
		"{machine=q35-7.2, qemu=7.2} (A) and {machine=q35-7.2, qemu=10.0} (B) and {machine=q35-7.2, qemu=11.1} (C)"
	if c.Error() != want {
		t.Errorf("error = %s\nwant    %s", c, want)
	}
	_, err = Generate(t.Context(), stack(), Options{Strength: 2, Must: []Tuple{{{"qemu", "5.2"}, {"libvirt", "12.8"}}}})
	if !errors.As(err, &c) || len(c.By) != 1 || c.By[0].Why != "libvirt needs qemu 6.2" {
		t.Errorf("error = %v, want the reason why the row cannot be", err)
	}
}

func TestCancelledContextEndsTheWork(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, m := range []Model{stack(), levels(10, 20)} {
		if _, err := Generate(ctx, m, Options{Strength: 2}); !errors.Is(err, context.Canceled) {
			t.Errorf("error = %v, want context.Canceled", err)
		}
	}
}

func TestSmallestModels(t *testing.T) {
	for _, spec := range [][]int{{1, 1}, {1, 2}, {5, 1}, {2, 2}, {300, 2}} {
		t.Run(fmt.Sprint(spec), func(t *testing.T) {
			m := levels(spec...)
			strength := min(2, len(m.Axes))
			a := generated(t, m, Options{Strength: strength})
			if cov := mustCover(t, m, strength, a.Rows); len(a.Rows) != cov.Valid/max(1, len(m.Axes)-1) {
				t.Errorf("%d rows for %d tuples", len(a.Rows), cov.Valid)
			}
		})
	}
}
