package cover

import (
	"strings"
	"testing"
)

func TestContradictionsSayWhatRulesATupleOut(t *testing.T) {
	m := levels(3, 3)
	name := func(axis int) string { return m.Axes[axis].Name }
	level := func(axis, l int) Setting { return Setting{name(axis), m.Axes[axis].Levels[l]} }
	// The first axis at 0 needs the second at 2, which the third at 0 does not have.
	m.Forbidden = []Forbidden{
		{Tuple: Tuple{level(0, 0), level(1, 0)}, Why: "one"},
		{Tuple: Tuple{level(0, 0), level(1, 1)}, Why: "two"},
		{Tuple: Tuple{level(1, 2), level(2, 0)}, Why: "three"},
		{Tuple: Tuple{level(0, 1), level(1, 1)}, Why: "unrelated"},
	}
	got, err := Contradictions(m, []Tuple{nil, {level(0, 0)}, {level(0, 0), level(2, 0)}, {level(0, 1), level(2, 0)}})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"", "", "one two three", ""} {
		var by []string
		if got[i] != nil {
			for _, f := range got[i].By {
				by = append(by, f.Why)
			}
		}
		if strings.Join(by, " ") != want {
			t.Errorf("tuple %d is ruled out by %q, want %q", i, by, want)
		}
	}
}

func TestContradictionsWithoutAnyRow(t *testing.T) {
	m := levels(2, 2)
	for _, l := range m.Axes[0].Levels {
		m.Forbidden = append(m.Forbidden, Forbidden{Tuple: Tuple{{m.Axes[0].Name, l}}, Why: l})
	}
	got, err := Contradictions(m, []Tuple{nil, {{m.Axes[1].Name, m.Axes[1].Levels[0]}}})
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range got {
		if c == nil || len(c.By) != 2 {
			t.Errorf("tuple %d is ruled out by %v, want both", i, c)
		}
	}
}

func TestContradictionsOfAnUnknownLevel(t *testing.T) {
	if _, err := Contradictions(levels(2, 2), []Tuple{{{"nothing", "0"}}}); err == nil {
		t.Error("an unknown axis is no error")
	}
}
