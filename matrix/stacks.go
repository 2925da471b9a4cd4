package matrix

import (
	"fmt"
	"slices"

	"github.com/virtmatrix/virtmatrix/matrix/cover"
)

// maxStacks bounds what is gone through one by one: the stacks of a kind, the
// combinations that a constraint forbids, those that each have a cell.
const maxStacks = 100_000

// stack is a version of each component, the composition of the cells that have
// them, and why they have none if the releases do not go together.
type stack struct {
	versions    map[Component]string
	composition Composition
	impossible  error
}

// combine lists the stacks and composes each.
func (g *grid) combine() error {
	stacks := []map[Component]string{{}}
	for _, comp := range g.kind.Components() {
		a := g.axis(string(comp))
		if a == nil {
			return fmt.Errorf("nothing says which versions of %s vary, and a component has no default", comp)
		}
		if len(stacks)*len(a.Levels) > maxStacks {
			return fmt.Errorf("the versions make more than %d stacks; let fewer vary", maxStacks)
		}
		var longer []map[Component]string
		for _, s := range stacks {
			for _, version := range a.Levels {
				next := map[Component]string{comp: version}
				for k, v := range s {
					next[k] = v
				}
				longer = append(longer, next)
			}
		}
		stacks = longer
	}
	for _, versions := range stacks {
		cell, err := g.catalog.compose(g.kind, versions)
		g.stacks = append(g.stacks, stack{versions: versions, composition: cell.Composition, impossible: err})
	}
	return nil
}

// tie forbids the versions that cannot be composed into a cell.
func (g *grid) tie() error {
	untied := func(s *stack) bool { return s.impossible != nil }
	for _, t := range g.implicants(untied, func(*stack) bool { return false }) {
		i := slices.IndexFunc(g.stacks, func(s stack) bool { return s.impossible != nil && s.has(t) })
		if len(t) == 0 {
			return fmt.Errorf("no %s cell can be: %w", g.hostType(), g.stacks[i].impossible)
		}
		g.rules = append(g.rules, CoverageRule{Tuple: t, Why: g.stacks[i].impossible.Error()})
	}
	return nil
}

// implicants returns few and short tuples of components that together are had by
// all stacks that are meant, and by no others but those that do not matter.
func (g *grid) implicants(meant, either func(*stack) bool) []cover.Tuple {
	comps := g.kind.Components()
	had := make([]bool, len(g.stacks))
	var out []cover.Tuple
	for size := range len(comps) + 1 {
		for subset := range 1 << len(comps) {
			var of []Component
			for i, comp := range comps {
				if subset&(1<<i) != 0 {
					of = append(of, comp)
				}
			}
			if len(of) == size {
				out = append(out, g.implicantsOf(of, meant, either, had)...)
			}
		}
	}
	return out
}

// implicantsOf returns the tuples of the given components, and marks the stacks
// that have one.
func (g *grid) implicantsOf(of []Component, meant, either func(*stack) bool, had []bool) (out []cover.Tuple) {
	type group struct {
		stacks []int
		broken bool
		fresh  bool
	}
	groups := map[string]*group{}
	var order []string
	for i := range g.stacks {
		s := &g.stacks[i]
		key := s.tuple(of).String()
		if groups[key] == nil {
			groups[key] = &group{}
			order = append(order, key)
		}
		in := groups[key]
		in.stacks = append(in.stacks, i)
		if meant(s) {
			in.fresh = in.fresh || !had[i]
		} else if !either(s) {
			in.broken = true
		}
	}
	for _, key := range order {
		in := groups[key]
		if in.broken || !in.fresh {
			continue
		}
		out = append(out, g.stacks[in.stacks[0]].tuple(of))
		for _, i := range in.stacks {
			had[i] = true
		}
	}
	return out
}

func (s *stack) tuple(of []Component) cover.Tuple {
	var t cover.Tuple
	for _, comp := range of {
		t = append(t, cover.Setting{Axis: string(comp), Level: s.versions[comp]})
	}
	return t
}

func (s *stack) has(t cover.Tuple) bool {
	return !slices.ContainsFunc(t, func(of cover.Setting) bool { return s.versions[Component(of.Axis)] != of.Level })
}
