package cover

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// small has one implied exclusion: a=1 forces b=1, which forbids c=1.
var small = Model{
	Axes: []Axis{
		{Name: "a", Levels: []string{"0", "1"}},
		{Name: "b", Levels: []string{"0", "1"}},
		{Name: "c", Levels: []string{"0", "1"}},
	},
	Forbidden: []Forbidden{
		{Tuple: Tuple{{"a", "1"}, {"b", "0"}}},
		{Tuple: Tuple{{"b", "1"}, {"c", "1"}}},
	},
}

func TestVerifyCountsAndExplains(t *testing.T) {
	got, err := Verify(small, 2, []Row{{"0", "0", "1"}, {"1", "1", "1"}, {"1", "1", "0"}})
	if err != nil {
		t.Fatal(err)
	}
	want := Coverage{
		Strength: 2,
		Valid:    9,
		Covered:  6,
		Missing:  []Tuple{{{"a", "0"}, {"b", "1"}}, {{"a", "0"}, {"c", "0"}}, {{"b", "0"}, {"c", "0"}}},
		Excluded: []Exclusion{
			{Tuple: Tuple{{"a", "1"}, {"b", "0"}}, By: []int{0}},
			{Tuple: Tuple{{"a", "1"}, {"c", "1"}}, By: []int{0, 1}},
			{Tuple: Tuple{{"b", "1"}, {"c", "1"}}, By: []int{1}},
		},
		Invalid: []InvalidRow{{Row: 1, By: []int{1}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("coverage (-want +got):\n%s", diff)
	}
	if got.Complete() {
		t.Error("coverage with missing tuples is complete")
	}
}

func TestFirstTellsWhyARowIsThere(t *testing.T) {
	got, err := First(small, 2, []Row{{"0", "0", "1"}, {"1", "1", "1"}, {"0", "0", "0"}, {"0", "0", "1"}})
	if err != nil {
		t.Fatal(err)
	}
	want := [][]Tuple{
		{{{"a", "0"}, {"b", "0"}}, {{"a", "0"}, {"c", "1"}}, {{"b", "0"}, {"c", "1"}}},
		nil,
		{{{"a", "0"}, {"c", "0"}}, {{"b", "0"}, {"c", "0"}}},
		nil,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("first coverage (-want +got):\n%s", diff)
	}
}

func TestVerifyRefusesWhatDoesNotFit(t *testing.T) {
	twice := Model{Axes: []Axis{{Name: "a", Levels: []string{"0", "0"}}, {Name: "a", Levels: []string{"0"}}}}
	dead := Model{Axes: small.Axes, Forbidden: []Forbidden{{Tuple: Tuple{{"a", "0"}}}, {Tuple: Tuple{{"a", "1"}}}}}
	strange := Model{Axes: small.Axes, Forbidden: []Forbidden{{Tuple: Tuple{{"d", "0"}}}}}
	for name, tc := range map[string]struct {
		model    Model
		strength int
		rows     []Row
		want     string
	}{
		"short row":      {small, 2, []Row{{"0"}}, "row 1 has 1 levels for 3 axes"},
		"unknown level":  {small, 2, []Row{{"0", "7", "0"}}, `axis b has no level "7"`},
		"strength":       {small, 4, nil, "strength 4"},
		"declared twice": {twice, 1, nil, "axis is declared twice"},
		"no valid row":   {dead, 1, nil, "no level of axis a"},
		"unknown axis":   {strange, 1, nil, "d=0"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Verify(tc.model, tc.strength, tc.rows); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error = %v, want %q", err, tc.want)
			}
		})
	}
}
