package matrix

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// oracle knows all cells that a cover could have, by going through the product.
type oracle struct {
	catalog *Catalog
	cover   Cover
	cells   []Cell
}

func newOracle(t *testing.T, c *Catalog, cov Cover) *oracle {
	t.Helper()
	o := &oracle{catalog: c, cover: cov}
	o.extend(t, map[string]string{}, 0)
	return o
}

func (o *oracle) extend(t *testing.T, values map[string]string, axis int) {
	if axis < len(o.cover.Axes) {
		for _, v := range o.cover.Axes[axis].Values {
			values[o.cover.Axes[axis].Axis] = v
			o.extend(t, values, axis+1)
		}
		return
	}
	cell, err := o.catalog.cell(o.cover.Kind, o.cover.Tier, values)
	if err == nil && allowed(&cell, slices.Concat(o.catalog.Constraints, o.cover.Exclude)) == nil {
		o.cells = append(o.cells, cell)
	}
}

// combinations are those of strength values of the axes that the cells have, as
// "linux=6.1 qemu=10.0", each with a cell that has it.
func (o *oracle) combinations(strength int, cells []Cell) map[string]string {
	out := map[string]string{}
	for i := range cells {
		o.each(&cells[i], strength, 0, nil, func(combination string) { out[combination] = cells[i].ID })
	}
	return out
}

func (o *oracle) each(c *Cell, strength, next int, chosen []string, visit func(string)) {
	if len(chosen) == strength {
		visit(strings.Join(chosen, " "))
		return
	}
	for i := next; i < len(o.cover.Axes); i++ {
		axis := o.cover.Axes[i].Axis
		value, _ := c.Value(axis)
		o.each(c, strength, i+1, append(slices.Clone(chosen), axis+"="+value), visit)
	}
}

// total is how many combinations there are, possible or not.
func (o *oracle) total(strength int) int {
	sums := make([]int, strength+1)
	sums[0] = 1
	for _, v := range o.cover.Axes {
		for i := strength; i > 0; i-- {
			sums[i] += sums[i-1] * len(v.Values)
		}
	}
	return sums[strength]
}

// mustBeAllowed fails for cells that the catalogue or the cover forbids.
func (o *oracle) mustBeAllowed(t *testing.T, cells []Cell) {
	t.Helper()
	for i := range cells {
		if err := allowed(&cells[i], slices.Concat(o.catalog.Constraints, o.cover.Exclude)); err != nil {
			t.Errorf("%s: %v", cells[i].ID, err)
		}
	}
}

// randomCatalog makes a catalogue of a few releases, versions, settings and
// constraints, and a profile "p" that covers some of it.
func randomCatalog(rng *rand.Rand) *Catalog {
	releases := []string{"r1", "r2", "r3"}
	c := &Catalog{
		Checks: []Check{{ID: "BOOT", Boot: true}},
	}
	for _, r := range releases {
		c.Releases = append(c.Releases, Release{Name: r, Source: "apt"})
	}
	for _, comp := range components() {
		a := Axis{Name: string(comp), Component: comp, Kinds: comp.kinds()}
		for v := range 2 + rng.IntN(3) {
			rng.Shuffle(len(releases), func(i, j int) { releases[i], releases[j] = releases[j], releases[i] })
			a.Values = append(a.Values, Value{Name: fmt.Sprint(v + 1), Releases: slices.Clone(releases[:1+rng.IntN(2)])})
		}
		c.Axes = append(c.Axes, a)
	}
	c.Axes = append(c.Axes,
		// A value for each version that a qemu can have.
		Axis{Name: "machine", Kinds: []Kind{KVM}, Default: "m{qemu}", Values: []Value{{Name: "m1"}, {Name: "m2"}, {Name: "m3"}, {Name: "m4"}}},
		Axis{Name: "firmware", Kinds: Kinds(), Default: "bios", Values: []Value{{Name: "bios"}, {Name: "uefi"}}},
		Axis{Name: "disk", Kinds: Kinds(), Default: "virtio", Values: []Value{{Name: "virtio"}, {Name: "scsi", Weight: 3}, {Name: "sata"}}},
	)
	for i := range rng.IntN(5) {
		c.Constraints = append(c.Constraints, randomConstraint(rng, c, fmt.Sprint("constraint ", i)))
	}
	c.Profiles = []Profile{{Name: "p", Covers: []Cover{randomCover(rng, c)}}}
	return c
}

func randomConstraint(rng *rand.Rand, c *Catalog, why string) Constraint {
	k := Constraint{Why: why, Source: "constraints.yaml:1"}
	composition := Axis{Name: CompositionAxis, Values: []Value{{Name: string(Native)}, {Name: string(Bundled)}}}
	axes := append(slices.Clone(c.Axes), composition)
	for _, i := range rng.Perm(len(axes))[:2+rng.IntN(2)] {
		values := axes[i].names()
		from := rng.IntN(len(values))
		k.Never = append(k.Never, Condition{Axis: axes[i].Name, Values: values[from:min(len(values), from+1+rng.IntN(2))], Text: "x"})
	}
	return k
}

func randomCover(rng *rand.Rand, c *Catalog) Cover {
	kind := Kinds()[rng.IntN(2)]
	cov := Cover{Kind: kind, Tier: kind.Tiers()[rng.IntN(len(kind.Tiers()))], Strength: 1 + rng.IntN(3)}
	for _, a := range c.KindAxes(cov.Kind) {
		values := a.names()
		if isSetting(a) && rng.IntN(3) == 0 {
			continue
		}
		if rng.IntN(4) == 0 {
			values = values[1:]
		}
		cov.Axes = append(cov.Axes, Varied{Axis: a.Name, Values: values})
	}
	for _, v := range cov.Axes {
		if rng.IntN(5) == 0 {
			cov.Every = append(cov.Every, v.Axis)
		}
	}
	if rng.IntN(3) == 0 {
		cov.Exclude = append(cov.Exclude, randomConstraint(rng, c, "excluded"))
	}
	return cov
}

// eachCatalog tries catalogues that differ by their seed.
func eachCatalog(t *testing.T, try func(t *testing.T, c *Catalog, rng *rand.Rand)) {
	n := 300
	if testing.Short() {
		n = 60
	}
	for seed := range n {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(uint64(seed), 0))
			try(t, randomCatalog(rng), rng)
		})
	}
}
