package main

import (
	"slices"
	"testing"
)

func TestMedian(t *testing.T) {
	for _, tc := range []struct {
		values []float64
		want   float64
	}{
		{nil, 0},
		{[]float64{7}, 7},
		{[]float64{9, 1, 5}, 5},
		{[]float64{4, 1, 3, 100}, 3.5},
	} {
		before := slices.Clone(tc.values)
		if got := median(tc.values); got != tc.want {
			t.Errorf("median(%v) = %v, want %v", tc.values, got, tc.want)
		}
		if !slices.Equal(before, tc.values) {
			t.Errorf("median changed the samples to %v", tc.values)
		}
	}
}

func TestRatiosArePairByPair(t *testing.T) {
	// The machine is half as fast from the third pair on.
	got := ratios([]float64{11, 11, 22, 22}, []float64{10, 10, 20, 20})
	for _, r := range got {
		if r < 1.099 || r > 1.101 {
			t.Errorf("ratios are %v, want 1.1 each", got)
		}
	}
	if got := ratios([]float64{1, 2, 3}, []float64{2}); !slices.Equal(got, []float64{0.5}) {
		t.Errorf("ratios of one pair are %v", got)
	}
	if got := ratios([]float64{1}, []float64{0}); got != nil {
		t.Errorf("nothing took no time, and yet the ratio is %v", got)
	}
}

func TestVerdictsOnTargets(t *testing.T) {
	five := func(v float64) []float64 { return []float64{v, v, v, v, v} }
	ratio, own := &target{Of: ofRatio, Most: 1.1}, &target{Of: ofOurs, Most: 1.5}
	never := &target{Of: ofOurs, Most: 0, Worst: true}
	for name, tc := range map[string]struct {
		row  row
		want string
	}{
		"nothing is wanted":       {row{Ours: five(1)}, ""},
		"a ratio that will do":    {row{Ours: five(11), Plain: five(10), Target: ratio}, met},
		"a ratio that will not":   {row{Ours: five(12), Plain: five(10), Target: ratio}, missed},
		"a figure that will do":   {row{Ours: five(1.5), Target: own}, met},
		"a figure that will not":  {row{Ours: five(1.6), Target: own}, missed},
		"one slow sample of five": {row{Ours: []float64{1, 1, 9, 1, 1}, Target: own}, met},
		"never":                   {row{Ours: five(0), Target: never}, met},
		"never, and once":         {row{Ours: []float64{0, 0, 1, 0, 0}, Target: never}, missed},
		"four samples":            {row{Ours: five(1)[:4], Target: own}, tooFew},
		"four samples too slow":   {row{Ours: five(2)[:4], Target: own}, missed},
		"cut short":               {row{Ours: five(1), Target: own, Wanted: 7}, tooFew},
		"cut short and too slow":  {row{Ours: five(2), Target: own, Wanted: 7}, missed},
		"one sample made of many": {row{Ours: []float64{1}, Target: own, Whole: true}, met},
		"no samples":              {row{Target: own}, notTaken},
		"nothing to compare with": {row{Ours: five(1), Target: ratio}, notTaken},
	} {
		if got := tc.row.verdict(); got != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
}

func TestOnlyWhatIsMetIsMet(t *testing.T) {
	own := &target{Of: ofOurs, Most: 1.5}
	good := row{Ours: []float64{1, 1, 1, 1, 1}, Target: own}
	for name, tc := range map[string]struct {
		rows []row
		want bool
	}{
		"all met":           {[]row{good, {Ours: []float64{9}}}, true},
		"one missed":        {[]row{good, {Ours: []float64{9}, Target: own}}, false},
		"too few":           {[]row{{Ours: []float64{1}, Target: own}}, false},
		"one was not taken": {[]row{good, {Why: "no Docker"}}, false},
	} {
		if got := (&report{Rows: tc.rows}).met(); got != tc.want {
			t.Errorf("%s: met is %v", name, got)
		}
	}
}

func TestWhatGrows(t *testing.T) {
	for name, tc := range map[string]struct {
		values []float64
		slack  float64
		want   bool
	}{
		"steady":                {[]float64{5, 5, 5, 5, 5, 5}, 0, false},
		"one more each time":    {[]float64{5, 6, 7, 8, 9, 10}, 0, true},
		"one more at last":      {[]float64{5, 5, 5, 5, 6, 6}, 0, true},
		"a moment's more":       {[]float64{5, 5, 9, 5, 5, 5}, 0, false},
		"less":                  {[]float64{9, 9, 8, 8, 7, 7}, 0, false},
		"wavers within slack":   {[]float64{100, 104, 102, 103, 104, 105}, 4, false},
		"more than slack":       {[]float64{100, 101, 110, 120, 130, 140}, 4, true},
		"too few to say":        {[]float64{1, 2}, 0, false},
		"three are just enough": {[]float64{1, 2, 3}, 0, true},
	} {
		if got := grows(tc.values, tc.slack); got != tc.want {
			t.Errorf("%s: grows is %v", name, got)
		}
	}
}
