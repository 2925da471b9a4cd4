package cover

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// oracle knows a small model by listing every row there is.
type oracle struct {
	model Model
	valid []Row
}

func newOracle(m Model) *oracle {
	o := &oracle{model: m}
	o.list(nil)
	return o
}

func (o *oracle) list(row Row) {
	if len(row) < len(o.model.Axes) {
		for _, l := range o.model.Axes[len(row)].Levels {
			o.list(append(slices.Clone(row), l))
		}
		return
	}
	for _, f := range o.model.Forbidden {
		if o.has(row, f.Tuple) {
			return
		}
	}
	o.valid = append(o.valid, row)
}

func (o *oracle) has(row Row, t Tuple) bool {
	for _, s := range t {
		for a, axis := range o.model.Axes {
			if axis.Name == s.Axis && row[a] != s.Level {
				return false
			}
		}
	}
	return true
}

func (o *oracle) possible(t Tuple) bool {
	return slices.ContainsFunc(o.valid, func(r Row) bool { return o.has(r, t) })
}

// tuples lists all tuples of a strength.
func (o *oracle) tuples(strength int) (out []Tuple) {
	var extend func(t Tuple, next int)
	extend = func(t Tuple, next int) {
		if len(t) == strength {
			out = append(out, t)
			return
		}
		for a := next; a < len(o.model.Axes); a++ {
			for _, l := range o.model.Axes[a].Levels {
				extend(append(slices.Clone(t), Setting{o.model.Axes[a].Name, l}), a+1)
			}
		}
	}
	extend(nil, 0)
	return out
}

// deadLevels lists the levels that no valid row has.
func (o *oracle) deadLevels() (out []Tuple) {
	for _, t := range o.tuples(1) {
		if !o.possible(t) {
			out = append(out, t)
		}
	}
	return out
}

// randomModel returns up to 5 axes with up to 4 levels and some forbidden
// tuples of 1 to 3 settings.
func randomModel(rng *rand.Rand) Model {
	var m Model
	for a := range 2 + rng.IntN(4) {
		axis := Axis{Name: fmt.Sprint("a", a)}
		for l := range max(1, min(4, 2+rng.IntN(4)-rng.IntN(10)/8)) {
			axis.Levels = append(axis.Levels, fmt.Sprint(l))
		}
		m.Axes = append(m.Axes, axis)
	}
	for range rng.IntN(12) {
		var t Tuple
		size := min(2+rng.IntN(2), len(m.Axes))
		if rng.IntN(40) == 0 {
			size = 1
		}
		for _, a := range rng.Perm(len(m.Axes))[:size] {
			axis := m.Axes[a]
			t = append(t, Setting{axis.Name, axis.Levels[rng.IntN(len(axis.Levels))]})
		}
		m.Forbidden = append(m.Forbidden, Forbidden{Tuple: t})
	}
	return m
}

func TestRandomModelsAgainstTheOracle(t *testing.T) {
	made, refused, implied := 0, 0, 0
	for seed := range uint64(600) {
		rng := rand.New(rand.NewPCG(seed, 7))
		m := randomModel(rng)
		o := newOracle(m)
		strength := 1 + rng.IntN(min(4, len(m.Axes)))
		a, err := Generate(t.Context(), m, Options{Strength: strength, Seed: seed, Effort: 10_000})
		if len(o.valid) == 0 || len(o.deadLevels()) > 0 {
			refused++
			checkContradictions(t, o, err)
			continue
		}
		if err != nil {
			t.Fatalf("seed %d: %v\n%+v", seed, err, m)
		}
		made++
		implied += checkArray(t, o, strength, a)
		if t.Failed() {
			t.Fatalf("seed %d, strength %d: %+v", seed, strength, m)
		}
	}
	t.Logf("%d arrays, %d models refused, %d tuples excluded that contain no forbidden tuple", made, refused, implied)
	if made < 300 || refused < 100 || implied < 200 {
		t.Errorf("the random models are too tame: %d arrays, %d refused, %d implied", made, refused, implied)
	}
}

// checkArray checks an array and what Verify says of it against the oracle. It
// returns the number of tuples that are excluded only by implication.
func checkArray(t *testing.T, o *oracle, strength int, a Array) (implied int) {
	t.Helper()
	for _, r := range a.Rows {
		if !slices.ContainsFunc(o.valid, func(v Row) bool { return slices.Equal(v, r) }) {
			t.Errorf("row %v is invalid", r)
		}
	}
	cov, err := Verify(o.model, strength, a.Rows)
	if err != nil {
		t.Fatal(err)
	}
	valid := 0
	for _, tuple := range o.tuples(strength) {
		possible := o.possible(tuple)
		if possible {
			valid++
		}
		if possible && !slices.ContainsFunc(a.Rows, func(r Row) bool { return o.has(r, tuple) }) {
			t.Errorf("tuple %s is not covered", tuple)
		}
		excluded := slices.ContainsFunc(cov.Excluded, func(e Exclusion) bool { return slices.Equal(e.Tuple, tuple) })
		if excluded == possible {
			t.Errorf("tuple %s: possible %v, excluded %v", tuple, possible, excluded)
		}
	}
	if !a.Complete || !cov.Complete() || cov.Valid != valid || cov.Covered != valid || len(cov.Missing) > 0 || len(cov.Invalid) > 0 {
		t.Errorf("coverage %+v of %d valid tuples", cov, valid)
	}
	sum := 0
	for _, n := range a.New {
		sum += n
	}
	if sum != valid {
		t.Errorf("rows newly cover %v, which is %d tuples of %d", a.New, sum, valid)
	}
	for _, e := range cov.Excluded {
		checkReason(t, o.model, e.Tuple, forbiddenAt(o.model, e.By))
		if len(e.By) > 1 {
			implied++
		}
	}
	return implied
}

func forbiddenAt(m Model, indices []int) (out []Forbidden) {
	for _, i := range indices {
		out = append(out, m.Forbidden[i])
	}
	return out
}

// checkReason checks that the forbidden tuples exclude t, and each is needed.
func checkReason(t *testing.T, m Model, tuple Tuple, by []Forbidden) {
	t.Helper()
	if newOracle(Model{Axes: m.Axes, Forbidden: by}).possible(tuple) {
		t.Errorf("%s is not excluded by %v", tuple, by)
	}
	for i := range by {
		fewer := slices.Delete(slices.Clone(by), i, i+1)
		if !newOracle(Model{Axes: m.Axes, Forbidden: fewer}).possible(tuple) {
			t.Errorf("%s is excluded without %v of %v", tuple, by[i], by)
		}
	}
}

// checkContradictions checks that the error names exactly the dead levels.
func checkContradictions(t *testing.T, o *oracle, err error) {
	t.Helper()
	var all []*Contradiction
	collect(err, &all)
	want := o.deadLevels()
	if len(o.valid) == 0 {
		want = []Tuple{{}}
	}
	if len(all) != len(want) {
		t.Fatalf("error = %v, want %d contradictions %v", err, len(want), want)
	}
	for i, c := range all {
		if !slices.Equal(c.Wanted, want[i]) {
			t.Errorf("contradiction about %s, want %s", c.Wanted, want[i])
		}
		checkReason(t, o.model, c.Wanted, c.By)
	}
}

// collect finds every contradiction in an error's tree.
func collect(err error, out *[]*Contradiction) {
	var c *Contradiction
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range many.Unwrap() {
			collect(e, out)
		}
	} else if c, ok = err.(*Contradiction); ok {
		*out = append(*out, c)
	} else if err != nil {
		collect(errors.Unwrap(err), out)
	}
}
