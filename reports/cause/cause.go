// Package cause infers from a matrix what its red cells have in common and its green
// ones lack: the smallest conditions on axes that tell them apart.
//
// It is an inference from the cells that were asked, and says so: each condition comes
// with the red cells that it misses and the green ones that it has, and with what fits
// as well. It knows nothing of products, only of axes.
package cause

import (
	"cmp"
	"fmt"
	"maps"
	"math/bits"
	"slices"
	"strings"
)

// Axis is one thing that cells vary.
type Axis struct {
	Name string
	// Values are in their order; a condition on an axis without an order names one.
	Values  []string
	Ordered bool
	// Alone are values of an order of which nothing follows for those beyond: builds that
	// nobody has but us.
	Alone []string
	// Rank orders axes that explain equally much: what is named first is likelier.
	Rank int
	// Follows says that its value follows from other axes and is not chosen alone.
	Follows bool
}

// Cell is a cell with an answer.
type Cell struct {
	// Values has the position of the cell's value on each axis; -1 where it has none.
	Values []int
	Red    bool
}

// Atom is a condition on one axis: the values from From to To.
type Atom struct {
	Axis, From, To int
	set            set
}

// Condition holds where all its atoms do.
type Condition struct {
	Atoms []Atom
	// Red and Green are how many cells of each sort it has.
	Red, Green int
	score      int
	// support counts the green cells that differ from it in one atom alone, width the values
	// that its atoms allow.
	support, width, rank int
}

// maxAtoms is how many conditions may hold together, and what is told of more is noise.
const maxAtoms = 3

// A wrong cell costs more than two atoms: so a cause of two or three conditions is found
// whole, and one cell that is wrong by chance does not make the cause of another shape.
const perWrong, perAtom = 5, 2

// Find returns the conditions that tell red from green best, all of them equally well but
// for what is likelier, which comes first. It returns none when all cells are of one
// sort, and when the best is hardly better than saying nothing.
func Find(axes []Axis, cells []Cell) []Condition {
	return newSearch(axes, cells).find()
}

func (s *search) find() []Condition {
	if s.red.count() == 0 || s.green.count() == 0 {
		return nil
	}
	for size := 1; size <= maxAtoms; size++ {
		// No larger condition is as good.
		if len(s.best) > 0 && s.score+s.slack < perAtom*size {
			break
		}
		s.extend(nil, s.all, 0, size)
	}
	if len(s.best) == 0 || s.score >= perWrong*min(s.red.count(), s.green.count()) {
		return nil
	}
	best := make([]Condition, 0, len(s.best))
	for _, c := range s.best {
		best = append(best, c)
	}
	slices.SortFunc(best, s.likelier)
	return best
}

// search holds the best conditions so far.
type search struct {
	axes            []Axis
	cells           []Cell
	atoms           [][]Atom
	red, green, all set
	score           int
	// slack is by how much a condition may be worse than the best, and be found.
	slack int
	// best has one condition for each choice of axes, that which claims least; or each one.
	best   map[string]Condition
	ranges bool
}

func newSearch(axes []Axis, cells []Cell) *search {
	s := &search{axes: axes, cells: cells, red: newSet(len(cells)), green: newSet(len(cells)), all: newSet(len(cells)), best: map[string]Condition{}}
	for i, c := range cells {
		s.all.add(i)
		if c.Red {
			s.red.add(i)
		} else {
			s.green.add(i)
		}
	}
	s.atoms = make([][]Atom, len(axes))
	for a, axis := range axes {
		for from := range axis.Values {
			for to := from; to < len(axis.Values) && (axis.Ordered || to == from); to++ {
				atom := Atom{a, from, to, newSet(len(cells))}
				for i, c := range cells {
					if c.Values[a] >= from && c.Values[a] <= to {
						atom.set.add(i)
					}
				}
				// What no red cell has explains nothing, and what all cells have neither.
				if atom.set.common(s.red) > 0 && atom.set.count() < len(cells) {
					s.atoms[a] = append(s.atoms[a], atom)
				}
			}
		}
	}
	return s
}

// extend tries all conditions of a size that begin with some atoms.
func (s *search) extend(atoms []Atom, has set, axis, size int) {
	if size == 0 {
		s.consider(atoms, has)
		return
	}
	for a := axis; a < len(s.axes); a++ {
		for _, atom := range s.atoms[a] {
			both := has.and(atom.set)
			// The red cells that it misses stay missed.
			if len(s.best) > 0 && perWrong*(s.red.count()-both.common(s.red))+perAtom*(len(atoms)+size) > s.score+s.slack {
				continue
			}
			s.extend(append(atoms, atom), both, a+1, size-1)
		}
	}
}

func (s *search) consider(atoms []Atom, has set) {
	c := Condition{Red: has.common(s.red), Green: has.common(s.green)}
	c.score = perWrong*(s.red.count()-c.Red+c.Green) + perAtom*len(atoms)
	if len(s.best) > 0 && c.score > s.score+s.slack {
		return
	}
	if c.score < s.score || len(s.best) == 0 {
		s.score = c.score
		maps.DeleteFunc(s.best, func(_ string, c Condition) bool { return c.score > s.score+s.slack })
	}
	c.Atoms = slices.Clone(atoms)
	key := ""
	for i, atom := range atoms {
		c.width += atom.To - atom.From
		c.rank += s.axes[atom.Axis].Rank
		key += fmt.Sprint(atom.Axis, " ")
		if s.ranges {
			key += fmt.Sprint(atom.From, atom.To, " ")
		}
		c.support += s.without(atoms, i).common(s.green)
	}
	if old, ok := s.best[key]; !ok || c.width < old.width {
		s.best[key] = c
	}
}

// without are the cells that have all atoms but one.
func (s *search) without(atoms []Atom, but int) set {
	has := s.all
	for i, atom := range atoms {
		if i != but {
			has = has.and(atom.set)
		}
	}
	return has
}

// likelier orders conditions that fit equally: by what their axes are, by how many green
// cells show that each atom matters, by how little they claim.
func (s *search) likelier(a, b Condition) int {
	return cmp.Or(
		cmp.Compare(a.score, b.score), cmp.Compare(a.rank, b.rank), cmp.Compare(b.support, a.support), cmp.Compare(a.width, b.width),
		slices.CompareFunc(a.Atoms, b.Atoms, func(x, y Atom) int { return cmp.Compare(x.Axis, y.Axis) }),
	)
}

// Holds says whether a cell is what the condition is about.
func (c Condition) Holds(values []int) bool {
	return !slices.ContainsFunc(c.Atoms, func(a Atom) bool { return values[a.Axis] < a.From || values[a.Axis] > a.To })
}

// Words writes a condition: "qemu >= 11.1 and libvirt <= 9.0".
func (c Condition) Words(axes []Axis) string {
	var parts []string
	for _, a := range c.Atoms {
		axis := axes[a.Axis]
		from, to := axis.Values[a.From], axis.Values[a.To]
		switch last := len(axis.Values) - 1; {
		case !axis.Ordered:
			parts = append(parts, axis.Name+" "+from)
		case a.From == a.To && (a.From > 0 && a.To < last || slices.Contains(axis.Alone, from)):
			parts = append(parts, axis.Name+" = "+from)
		case a.To == last:
			parts = append(parts, axis.Name+" >= "+from)
		case a.From == 0:
			parts = append(parts, axis.Name+" <= "+to)
		default:
			parts = append(parts, axis.Name+" >= "+from+" and "+axis.Name+" <= "+to)
		}
	}
	return strings.Join(parts, " and ")
}

// set is a set of cells by their number.
type set []uint64

func newSet(n int) set { return make(set, (n+63)/64) }

func (s set) add(i int) { s[i/64] |= 1 << (i % 64) }

func (s set) and(o set) set {
	out := make(set, len(s))
	for i := range s {
		out[i] = s[i] & o[i]
	}
	return out
}

func (s set) count() (n int) {
	for _, w := range s {
		n += bits.OnesCount64(w)
	}
	return n
}

// common counts what both sets have.
func (s set) common(o set) (n int) {
	for i := range s {
		n += bits.OnesCount64(s[i] & o[i])
	}
	return n
}
