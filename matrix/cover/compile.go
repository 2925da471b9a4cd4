package cover

import (
	"errors"
	"fmt"
	"math/big"
	"strings"
)

// MaxStrength is the largest strength, and MaxTuples the largest number of
// tuples, that Generate accepts: about a minute of work and 300 MB.
const (
	MaxStrength = 6
	MaxTuples   = 1 << 22
)

// lit is one axis at one level, by index.
type lit struct{ axis, level int }

// compiled is a model in which names are indices.
type compiled struct {
	model  Model
	levels []int
	rules  [][]lit // one per forbidden tuple
}

// compile checks a model and resolves its names. It reports all faults at once.
func (m Model) compile() (*compiled, error) {
	c := &compiled{model: m}
	var faults []error
	axes := map[string]bool{}
	for _, a := range m.Axes {
		if axes[a.Name] {
			faults = append(faults, fmt.Errorf("axis %s is declared twice", a.Name))
		}
		axes[a.Name] = true
		faults = append(faults, a.check()...)
		c.levels = append(c.levels, len(a.Levels))
	}
	if len(m.Axes) == 0 {
		faults = append(faults, errors.New("the model has no axes"))
	}
	for _, f := range m.Forbidden {
		rule, err := m.resolve(f.Tuple)
		if err == nil && len(rule) == 0 {
			err = errors.New("it is empty and would forbid every row")
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("forbidden tuple %s: %w", f, err))
		}
		c.rules = append(c.rules, rule)
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return c, nil
}

func (a Axis) check() (faults []error) {
	if a.Name == "" {
		faults = append(faults, errors.New("an axis has no name"))
	}
	if len(a.Levels) == 0 {
		faults = append(faults, fmt.Errorf("axis %s has no levels", a.Name))
	}
	seen := map[string]bool{}
	for _, l := range a.Levels {
		if l == "" {
			faults = append(faults, fmt.Errorf("axis %s has a level without a name", a.Name))
		}
		if seen[l] {
			faults = append(faults, fmt.Errorf("axis %s has the level %s twice", a.Name, l))
		}
		seen[l] = true
	}
	if a.Weights != nil && len(a.Weights) != len(a.Levels) {
		faults = append(faults, fmt.Errorf("axis %s has %d weights for %d levels", a.Name, len(a.Weights), len(a.Levels)))
	}
	for _, w := range a.Weights {
		if !(w > 0) {
			faults = append(faults, fmt.Errorf("axis %s has the weight %g, weights are above 0", a.Name, w))
		}
	}
	return faults
}

// resolve turns a tuple's names into indices.
func (m Model) resolve(t Tuple) ([]lit, error) {
	var out []lit
	seen := map[string]bool{}
	for _, s := range t {
		if seen[s.Axis] {
			return nil, fmt.Errorf("axis %s occurs twice in it", s.Axis)
		}
		seen[s.Axis] = true
		axis := -1
		var names []string
		for i, a := range m.Axes {
			names = append(names, a.Name)
			if a.Name == s.Axis {
				axis = i
			}
		}
		if axis < 0 {
			return nil, fmt.Errorf("there is no axis %q, there are %s", s.Axis, strings.Join(names, ", "))
		}
		level := -1
		for i, l := range m.Axes[axis].Levels {
			if l == s.Level {
				level = i
			}
		}
		if level < 0 {
			return nil, fmt.Errorf("axis %s has no level %q, it has %s", s.Axis, s.Level, strings.Join(m.Axes[axis].Levels, ", "))
		}
		out = append(out, lit{axis, level})
	}
	return out, nil
}

// checkSize refuses a strength that makes no sense or too many tuples.
func (c *compiled) checkSize(strength int) error {
	if strength < 1 || strength > MaxStrength {
		return fmt.Errorf("strength %d is not between 1 and %d", strength, MaxStrength)
	}
	if strength > len(c.levels) {
		return fmt.Errorf("strength %d is more than the %d axes of the model", strength, len(c.levels))
	}
	if n := countTuples(c.levels, strength); n.Cmp(big.NewInt(MaxTuples)) > 0 {
		return fmt.Errorf("strength %d over %d axes has %s tuples, more than %d: lower the strength or split the model", strength, len(c.levels), n, MaxTuples)
	}
	return nil
}

// countTuples returns the elementary symmetric polynomial of degree t in the
// numbers of levels: how many t-tuples there are, valid or not.
func countTuples(levels []int, t int) *big.Int {
	sum := make([]*big.Int, t+1)
	for i := range sum {
		sum[i] = new(big.Int)
	}
	sum[0].SetInt64(1)
	for _, v := range levels {
		for i := t; i > 0; i-- {
			sum[i].Add(sum[i], new(big.Int).Mul(sum[i-1], big.NewInt(int64(v))))
		}
	}
	return sum[t]
}

// tuple turns indices back into names.
func (c *compiled) tuple(lits []lit) Tuple {
	t := make(Tuple, len(lits))
	for i, l := range lits {
		a := c.model.Axes[l.axis]
		t[i] = Setting{Axis: a.Name, Level: a.Levels[l.level]}
	}
	return t
}

// free is the level of a cell that is not decided yet.
const free = -1

// partial returns a row in which only the given cells are decided.
func (c *compiled) partial(lits []lit) []int {
	row := make([]int, len(c.levels))
	for i := range row {
		row[i] = free
	}
	for _, l := range lits {
		row[l.axis] = l.level
	}
	return row
}

// weight returns how much a level matters.
func (c *compiled) weight(axis, level int) float64 {
	if w := c.model.Axes[axis].Weights; w != nil {
		return w[level]
	}
	return 1
}
