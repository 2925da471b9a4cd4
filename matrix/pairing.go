package matrix

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/virtmatrix/virtmatrix/matrix/cover"
)

// pairing is the sweep of a change: candidates, which have the new value, and
// for each its baseline, the same cell with the old one.
type pairing struct {
	// grid has the candidates; of the axis of the change only the new value.
	*grid
	change   Change
	strength int
	every    []string
	// moves has for each component that is tied to the axis the version that its
	// versions become in a baseline.
	moves map[string]map[string]string
	// must are the combinations of the axes in every. paired is what candidates
	// with a baseline can be, alone what all candidates can.
	must          []cover.Tuple
	paired, alone cover.Model
}

// pairing prepares the sweep of a change over a cover that has both values.
func (c *Catalog) pairing(cov Cover, change Change, strength int) (*pairing, error) {
	s := &pairing{change: change, strength: strength, every: cov.Every, moves: c.moves(cov.Kind, change)}
	to := narrowed(cov, change.Axis, change.To)
	from := narrowed(cov, change.Axis, change.From)
	for _, v := range cov.Axes {
		if move, ok := s.moves[v.Axis]; ok {
			from = narrowed(from, v.Axis, moved(v.Values, move)...)
		}
	}
	pins, err := s.pins(c, to, from)
	if err != nil {
		return nil, err
	}
	for _, pinned := range pins {
		if err = s.settle(c, to, from, pinned); err == nil && len(s.paired.Axes) > 0 {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	found, err := cover.Contradictions(s.model(), []cover.Tuple{s.with()})
	if err != nil {
		return nil, err
	}
	if found[0] != nil {
		return nil, s.contradiction(found[0])
	}
	if s.alone, err = pruned(s.model()); err != nil {
		return nil, err
	}
	s.must, err = s.grid.every(cov.Every)
	return s, err
}

// settle works out what candidates and their baselines can be with these
// settings pinned.
func (s *pairing) settle(c *Catalog, to, from Cover, pinned map[string]string) error {
	after, before, err := s.grids(c, to, from, pinned)
	if err != nil {
		return err
	}
	s.grid = after
	m := after.model()
	for _, r := range before.rules {
		for _, t := range s.ofCandidates(r.Tuple) {
			m.Forbidden = append(m.Forbidden, cover.Forbidden{Tuple: t, Why: r.reason()})
		}
	}
	s.paired, err = pruned(m)
	return err
}

// grids works out what cells can be after the change and before it.
func (s *pairing) grids(c *Catalog, to, from Cover, pinned map[string]string) (after, before *grid, err error) {
	if after, err = c.grid(to, pinned); err != nil {
		return nil, nil, fmt.Errorf("with %s=%s: %w", s.change.Axis, s.change.To, err)
	}
	if before, err = c.grid(from, pinned); err != nil {
		return nil, nil, fmt.Errorf("with %s=%s: %w", s.change.Axis, s.change.From, err)
	}
	return after, before, nil
}

// ofCandidates turns a tuple of baselines into those of their candidates.
func (s *pairing) ofCandidates(t cover.Tuple) []cover.Tuple {
	tuples := []cover.Tuple{nil}
	for _, of := range t {
		a := s.axis(of.Axis)
		levels := slices.DeleteFunc(slices.Clone(a.Levels), func(l string) bool { return s.before(a.Name, l) != of.Level })
		tuples = extended(tuples, a.Name, levels)
	}
	return tuples
}

// before returns what a value of a candidate is in its baseline.
func (s *pairing) before(axis, value string) string {
	if axis == s.change.Axis {
		return s.change.From
	}
	if was, ok := s.moves[axis][value]; ok {
		return was
	}
	return value
}

// follows says whether the default of a setting is another in a baseline.
func (s *pairing) follows(a *Axis) bool {
	for _, h := range hole.FindAllString(a.Default, -1) {
		name := strings.Trim(h, "{}")
		if _, moves := s.moves[name]; moves || name == s.change.Axis {
			return true
		}
	}
	return false
}

// with is what all candidates have.
func (s *pairing) with() cover.Tuple {
	return cover.Tuple{{Axis: s.change.Axis, Level: s.change.To}}
}

// pruned returns a model without the levels that no valid row has; without axes
// if there is no valid row.
func pruned(m cover.Model) (cover.Model, error) {
	var all []cover.Tuple
	for _, a := range m.Axes {
		all = append(all, extended([]cover.Tuple{nil}, a.Name, a.Levels)...)
	}
	live, err := possible(m, all)
	if err != nil || len(live) == 0 {
		return cover.Model{}, err
	}
	alive := func(s cover.Setting) bool {
		return slices.ContainsFunc(live, func(t cover.Tuple) bool { return t[0] == s })
	}
	var out cover.Model
	for _, a := range m.Axes {
		kept := cover.Axis{Name: a.Name}
		for i, l := range a.Levels {
			if alive(cover.Setting{Axis: a.Name, Level: l}) {
				kept.Levels = append(kept.Levels, l)
				kept.Weights = append(kept.Weights, a.Weights[i])
			}
		}
		out.Axes = append(out.Axes, kept)
	}
	for _, f := range m.Forbidden {
		if !slices.ContainsFunc(f.Tuple, func(s cover.Setting) bool { return !alive(s) }) {
			out.Forbidden = append(out.Forbidden, f)
		}
	}
	return out, nil
}

// moves finds for the components that must come from the release of the changed
// one, what each version becomes: itself if that goes with the old value, or
// else the nearest that does.
func (c *Catalog) moves(kind Kind, change Change) map[string]map[string]string {
	moves := map[string]map[string]string{}
	if !slices.Contains(tied[kind], Component(change.Axis)) {
		return moves
	}
	for _, comp := range tied[kind] {
		a, err := c.Axis(string(comp))
		if err != nil || string(comp) == change.Axis {
			continue
		}
		moves[a.Name] = map[string]string{}
		for i, v := range a.names() {
			if to, ok := c.nearestWith(kind, a, i, change); ok {
				moves[a.Name][v] = to
			}
		}
	}
	return moves
}

// nearestWith returns the version nearest to the i-th of a component that can be
// composed with the old value of a change.
func (c *Catalog) nearestWith(kind Kind, a *Axis, i int, change Change) (version string, ok bool) {
	versions := map[Component]string{}
	for _, comp := range kind.Components() {
		versions[comp] = Oldest
	}
	versions[Component(change.Axis)] = change.From
	names := a.names()
	for distance := range names {
		for _, j := range []int{i - distance, i + distance} {
			if j < 0 || j >= len(names) {
				continue
			}
			versions[a.Component] = names[j]
			if _, err := c.compose(kind, versions); err == nil {
				return names[j], true
			}
		}
	}
	return "", false
}

// moved returns what values become, each once.
func moved(values []string, move map[string]string) []string {
	var out []string
	for _, v := range values {
		if to, ok := move[v]; ok {
			v = to
		}
		if !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}

// pins lists what to try for the settings that do not vary and whose default
// follows the change: a candidate and its baseline must have the same value. The
// last one is to leave each its default.
func (s *pairing) pins(c *Catalog, to, from Cover) ([]map[string]string, error) {
	after, before, err := s.grids(c, to, from, nil)
	if err != nil {
		return nil, err
	}
	var pins []map[string]string
	for _, a := range c.KindAxes(to.Kind) {
		if isComponent(a) || after.axis(a.Name) != nil || !s.follows(a) {
			continue
		}
		var more []map[string]string
		for _, v := range slices.Concat(after.defaults(a), before.defaults(a)) {
			for _, pin := range append(pins, nil)[:max(len(pins), 1)] {
				next := map[string]string{a.Name: v}
				maps.Copy(next, pin)
				more = append(more, next)
			}
		}
		pins = more
	}
	return append(pins, nil), nil
}

// defaults lists the defaults of a setting, each once.
func (g *grid) defaults(a *Axis) []string {
	var out []string
	for i := range g.stacks {
		if v := g.catalog.defaultOf(a, g.stacks[i].versions); !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}
