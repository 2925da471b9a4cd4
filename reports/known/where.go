package known

import (
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/virtmatrix/virtmatrix/internal/strict"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// Where are conditions that hold together.
type Where []condition

// condition is on one axis: a range of package versions, or values.
type condition struct {
	axis   strict.Word
	within matrix.Range
	values []strict.Word
}

// accelAxis is what conditions call the accelerator that the guests really had.
const accelAxis = "l2"

// components are those of all kinds.
func components() (all []string) {
	for _, k := range matrix.Kinds() {
		for _, c := range k.Components() {
			if !slices.Contains(all, string(c)) {
				all = append(all, string(c))
			}
		}
	}
	return all
}

// UnmarshalYAML reads conditions in the file's order.
func (w *Where) UnmarshalYAML(n ast.Node) error {
	m, ok := n.(ast.MapNode)
	if !ok {
		return strict.Wrong(n, `want conditions here, such as {qemu: ">= 11.1"}`)
	}
	for it := m.MapRange(); it.Next(); {
		var c condition
		if err := c.axis.UnmarshalYAML(it.Key()); err != nil {
			return err
		}
		if slices.ContainsFunc(*w, func(o condition) bool { return o.axis.Text == c.axis.Text }) {
			return strict.Wrong(it.Key(), "duplicate key %q", c.axis.Text)
		}
		if err := c.read(it.Value()); err != nil {
			return err
		}
		*w = append(*w, c)
	}
	return nil
}

func (c *condition) read(n ast.Node) (err error) {
	list, isList := n.(*ast.SequenceNode)
	if slices.Contains(components(), c.axis.Text) {
		var text strict.Word
		if err := text.UnmarshalYAML(n); err != nil {
			return err
		}
		if c.within, err = matrix.ParseRange(text.Text); err != nil {
			return strict.Wrong(n, "%v", err)
		}
		return nil
	}
	values := []ast.Node{n}
	if isList {
		values = list.Values
	}
	for _, v := range values {
		var w strict.Word
		if err := w.UnmarshalYAML(v); err != nil {
			return err
		}
		c.values = append(c.values, w)
	}
	return nil
}

// String returns the conditions in words: "libvirt < 12 and qemu >= 11.1".
func (w Where) String() string {
	var parts []string
	for _, c := range w {
		if len(c.values) == 0 {
			parts = append(parts, c.axis.Text+" "+c.within.String())
			continue
		}
		var values []string
		for _, v := range c.values {
			values = append(values, v.Text)
		}
		parts = append(parts, c.axis.Text+" "+strings.Join(values, " or "))
	}
	return strings.Join(parts, " and ")
}

// holds says whether a cell is what the conditions are about.
func (w Where) holds(s Subject, cell *matrix.Cell) bool {
	return !slices.ContainsFunc(w, func(c condition) bool { return !c.holds(s, cell) })
}

func (c *condition) holds(s Subject, cell *matrix.Cell) bool {
	if cell == nil {
		return false
	}
	if choice, ok := cell.Choice(matrix.Component(c.axis.Text)); ok {
		version := choice.Package
		if version == "" {
			version = choice.Upstream()
		}
		return c.within.Has(version, matrix.Order(s.Source(choice.Release)))
	}
	return slices.ContainsFunc(c.values, func(v strict.Word) bool { return v.Text == c.of(s, cell) })
}

// of is the cell's value of an axis that is no component.
func (c *condition) of(s Subject, cell *matrix.Cell) string {
	switch c.axis.Text {
	case "kind":
		return string(cell.Kind)
	case matrix.TierAxis:
		return string(cell.Tier)
	case matrix.CompositionAxis:
		return string(cell.Composition)
	case accelAxis:
		return s.L2
	}
	value, _ := cell.Value(c.axis.Text)
	return value
}

// lint says what is wrong with the names in the conditions.
func (w Where) lint(cat *matrix.Catalog) (problems []placed) {
	kinds := matrix.Kinds()
	for _, c := range w {
		valid := map[string][]string{
			"kind": texts(matrix.Kinds()), matrix.TierAxis: texts(matrix.Tiers()), accelAxis: {"kvm", "tcg", "xen-pv"},
			matrix.CompositionAxis: {string(matrix.Native), string(matrix.Bundled)},
		}
		if axis, err := cat.Axis(c.axis.Text); err == nil {
			kinds = slices.DeleteFunc(kinds, func(k matrix.Kind) bool { return !slices.Contains(axis.Kinds, k) })
			for _, v := range axis.Values {
				valid[axis.Name] = append(valid[axis.Name], v.Name)
			}
		} else if valid[c.axis.Text] == nil {
			problems = append(problems, placed{c.axis.Line, err.Error()})
		}
		for _, v := range c.values {
			if names := valid[c.axis.Text]; names != nil && !slices.Contains(names, v.Text) {
				problems = append(problems, placed{v.Line, matrix.Unknown("value of "+c.axis.Text, v.Text, names).Error()})
			}
		}
	}
	if len(w) > 0 && len(kinds) == 0 {
		problems = append(problems, placed{w[0].axis.Line, fmt.Sprintf("no kind of cell has all of %s", w)})
	}
	return problems
}

// meet says whether some cell may be what both are about.
func (w Where) meet(other Where) bool {
	for _, a := range w {
		for _, b := range other {
			if a.axis.Text != b.axis.Text {
				continue
			}
			if len(a.values) == 0 {
				// Both are ranges: is there a version in both?
				if _, err := matrix.ParseRange(a.within.String() + ", " + b.within.String()); err != nil {
					return false
				}
			} else if !slices.ContainsFunc(a.values, func(v strict.Word) bool {
				return slices.ContainsFunc(b.values, func(o strict.Word) bool { return v.Text == o.Text })
			}) {
				return false
			}
		}
	}
	return true
}

func texts[T ~string](list []T) (out []string) {
	for _, v := range list {
		out = append(out, string(v))
	}
	return out
}
