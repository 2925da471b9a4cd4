package cause

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/virtmatrix/virtmatrix/matrix/cover"
)

// axes are those of a usual plan: three components, two settings.
func testAxes() []Axis {
	return []Axis{
		{Name: "linux", Values: []string{"5.10", "6.1", "6.12", "7.2"}, Ordered: true},
		{Name: "qemu", Values: []string{"5.2", "7.2", "10.0", "11.1"}, Ordered: true},
		{Name: "libvirt", Values: []string{"7.0", "9.0", "11.3", "12.8"}, Ordered: true},
		{Name: "firmware", Values: []string{"bios", "uefi"}, Rank: 1},
		{Name: "disk", Values: []string{"virtio", "sata", "scsi"}, Rank: 1},
	}
}

// array is a matrix of a strength: few cells that have each combination of so many
// values. With the number of axes it has all cells that can be.
func array(t *testing.T, axes []Axis, strength int) (rows [][]int) {
	t.Helper()
	var model cover.Model
	for _, a := range axes {
		model.Axes = append(model.Axes, cover.Axis{Name: a.Name, Levels: a.Values})
	}
	made, err := cover.Generate(t.Context(), model, cover.Options{Strength: strength})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range made.Rows {
		row := make([]int, len(axes))
		for i, level := range r {
			row[i] = slices.Index(axes[i].Values, level)
		}
		rows = append(rows, row)
	}
	return rows
}

// planted is a cause of a number of conditions, each as a version brings it: from one on,
// up to one, in one alone.
func planted(rnd *rand.Rand, axes []Axis, atoms int) Condition {
	var c Condition
	for _, a := range rnd.Perm(len(axes))[:atoms] {
		last := len(axes[a].Values) - 1
		at := Atom{Axis: a}
		switch v := rnd.IntN(last + 1); {
		case !axes[a].Ordered:
			at.From, at.To = v, v
		case rnd.IntN(2) == 0:
			at.From, at.To = 1+rnd.IntN(last), last
		default:
			at.To = rnd.IntN(last)
		}
		c.Atoms = append(c.Atoms, at)
	}
	return c
}

// colour makes cells of rows: red where the cause holds, and some the other way by chance.
func colour(rnd *rand.Rand, rows [][]int, c Condition, noise float64) (cells []Cell, red int) {
	for _, row := range rows {
		cell := Cell{row, c.Holds(row) != (rnd.Float64() < noise)}
		if cells = append(cells, cell); cell.Red {
			red++
		}
	}
	return cells, red
}

// found says at which place the planted cause is among the conditions, or -1. A condition
// is it when both hold for the same of all cells that can be.
func found(all [][]int, conditions []Condition, c Condition) int {
	return slices.IndexFunc(conditions, func(o Condition) bool {
		return !slices.ContainsFunc(all, func(row []int) bool { return o.Holds(row) != c.Holds(row) })
	})
}

// trials is how many causes are planted: fewer in a short test.
func trials(t *testing.T, n int) int {
	t.Helper()
	if testing.Short() {
		return n / 5
	}
	return n
}

func TestHowOftenAPlantedCauseIsFirst(t *testing.T) {
	axes := testAxes()
	all := array(t, axes, len(axes))
	trials := trials(t, 300)
	for _, strength := range []int{2, 3, len(axes)} {
		rows := all
		if strength < len(axes) {
			rows = array(t, axes, strength)
		}
		for _, noise := range []float64{0, .02} {
			for atoms := 1; atoms <= maxAtoms; atoms++ {
				rnd := rand.New(rand.NewPCG(uint64(strength), uint64(atoms)))
				first, among := 0, 0
				for range trials {
					c := planted(rnd, axes, atoms)
					cells, red := colour(rnd, rows, c, noise)
					for red == 0 {
						c = planted(rnd, axes, atoms)
						cells, red = colour(rnd, rows, c, noise)
					}
					switch found(all, Find(axes, cells), c) {
					case 0:
						first, among = first+1, among+1
					case -1:
					default:
						among++
					}
				}
				percent := 100 * float64(first) / float64(trials)
				t.Logf("%3d cells (each combination of %d values), noise %.0f %%, a cause of %d: first in %.1f %%, among those that fit equally in %.1f %%",
					len(rows), strength, 100*noise, atoms, percent, 100*float64(among)/float64(trials))
				// A cause of more values than the cells have combinations of shows in too few.
				if noise == 0 && atoms < strength && percent < 95 {
					t.Errorf("a cause of %d is first in %.1f %% only", atoms, percent)
				}
			}
		}
	}
}

func TestWords(t *testing.T) {
	axes := testAxes()
	for want, atoms := range map[string][]Atom{
		"qemu >= 11.1 and libvirt <= 11.3": {{Axis: 1, From: 3, To: 3}, {Axis: 2, From: 0, To: 2}},
		"qemu = 7.2":                       {{Axis: 1, From: 1, To: 1}},
		"linux >= 6.1 and linux <= 6.12":   {{Axis: 0, From: 1, To: 2}},
		"qemu <= 5.2 and firmware uefi":    {{Axis: 1, From: 0, To: 0}, {Axis: 3, From: 1, To: 1}},
	} {
		if got := (Condition{Atoms: atoms}).Words(axes); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	axes[1].Alone = []string{"5.2"}
	if got := (Condition{Atoms: []Atom{{Axis: 1, From: 0, To: 0}}}).Words(axes); got != "qemu = 5.2" {
		t.Errorf("of a value that stands alone: %q", got)
	}
}

func TestCellsOfOneSortTellNothing(t *testing.T) {
	axes := testAxes()
	for _, red := range []bool{true, false} {
		if got := Find(axes, []Cell{{[]int{0, 0, 0, 0, 0}, red}, {[]int{1, 1, 1, 1, 1}, red}}); got != nil {
			t.Errorf("%v", got)
		}
	}
	if got := Find(axes, nil); got != nil {
		t.Errorf("%v", got)
	}
}

func TestAxesThatMoveTogetherAreAllNamed(t *testing.T) {
	axes := testAxes()[:3]
	got := Find(axes, []Cell{{[]int{0, 0, 0}, false}, {[]int{1, 1, 1}, false}, {[]int{2, 2, 2}, true}, {[]int{3, 3, 3}, true}})
	var words []string
	for _, c := range got {
		words = append(words, c.Words(axes))
	}
	if want := []string{"linux >= 6.12", "qemu >= 10.0", "libvirt >= 11.3"}; !slices.Equal(words, want) {
		t.Errorf("%q, want %q", words, want)
	}
}

func TestACellWithoutAnAxisIsNotWhatAConditionOnItIsAbout(t *testing.T) {
	axes := testAxes()[:2]
	got := Find(axes, []Cell{{[]int{1, 3}, true}, {[]int{1, 2}, false}, {[]int{1, -1}, false}, {[]int{2, 3}, true}})
	if len(got) != 1 || got[0].Words(axes) != "qemu >= 11.1" || got[0].Red != 2 || got[0].Green != 0 {
		t.Errorf("%v", got)
	}
}

func TestCounterEvidenceIsCounted(t *testing.T) {
	axes := testAxes()
	rnd := rand.New(rand.NewPCG(1, 1))
	c := Condition{Atoms: []Atom{{Axis: 1, From: 3, To: 3}}}
	cells, _ := colour(rnd, array(t, axes, 3), c, 0)
	i := slices.IndexFunc(cells, func(c Cell) bool { return c.Red })
	cells[i].Red = false
	got := Find(axes, cells)
	if got[0].Words(axes) != "qemu >= 11.1" || got[0].Green != 1 {
		t.Errorf("%s, %d green", got[0].Words(axes), got[0].Green)
	}
}

// alike is the cost of cells that all cost the same.
func alike([]int) float64 { return 1 }

// localised asks what Decide and Confirm name until they name nothing, as virtmatrix localise
// does, and says how many cells that took.
func localised(axes []Axis, cells []Cell, ask func([]int) bool) (conditions []Condition, more int) {
	for more < 30 {
		next := Decide(axes, cells, alike, nil)
		if len(next) == 0 {
			next = Confirm(axes, cells, alike, nil)
		}
		if len(next) == 0 {
			break
		}
		for _, values := range next {
			cells = append(cells, Cell{values, ask(values)})
			more++
		}
	}
	return Find(axes, cells), more
}

func TestHowOftenAPlantedCauseIsFirstOnceItIsLocalised(t *testing.T) {
	axes := testAxes()
	all := array(t, axes, len(axes))
	trials := trials(t, 100)
	for _, strength := range []int{2, 3} {
		rows := array(t, axes, strength)
		for _, noise := range []float64{0, .02} {
			for atoms := 1; atoms <= maxAtoms; atoms++ {
				rnd := rand.New(rand.NewPCG(uint64(strength), uint64(10+atoms)))
				before, first, asked, most := 0, 0, 0, 0
				for range trials {
					c := planted(rnd, axes, atoms)
					cells, red := colour(rnd, rows, c, noise)
					for red == 0 {
						c = planted(rnd, axes, atoms)
						cells, red = colour(rnd, rows, c, noise)
					}
					if found(all, Find(axes, cells), c) == 0 {
						before++
					}
					conditions, more := localised(axes, cells, func(values []int) bool { return c.Holds(values) != (rnd.Float64() < noise) })
					if found(all, conditions, c) == 0 {
						first++
					}
					asked, most = asked+more, max(most, more)
				}
				t.Logf("%3d cells (each combination of %d values), noise %.0f %%, a cause of %d: first in %d %% of trials, in %d %% after %.1f more cells (at most %d)",
					len(rows), strength, 100*noise, atoms, 100*before/trials, 100*first/trials, float64(asked)/float64(trials), most)
				if noise == 0 && first < trials*95/100 {
					t.Errorf("a cause of %d is first in %d of %d", atoms, first, trials)
				}
			}
		}
	}
}
