package main

import (
	"fmt"
	"slices"
)

// enough is the number of samples that a verdict needs.
const enough = 5

// of returns one figure of all samples that have it.
func of(samples []sample, name string) []float64 {
	var out []float64
	for _, s := range samples {
		if v, ok := s.Values[name]; ok {
			out = append(out, v)
		}
	}
	return out
}

// median is the middle of the values, 0 of none.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	mid := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[mid]
	}
	return (sorted[mid-1] + sorted[mid]) / 2
}

// ratios divides pair by pair, so that a machine that becomes slower does not
// count against one side.
func ratios(ours, plain []float64) []float64 {
	var out []float64
	for i := range min(len(ours), len(plain)) {
		if plain[i] > 0 {
			out = append(out, ours[i]/plain[i])
		}
	}
	return out
}

// target is what a row must show.
type target struct {
	// Of is the figure: "ratio" or "ours".
	Of string `json:"of"`
	// Most is the largest value that will do.
	Most float64 `json:"most"`
	// Worst has each sample be so, and not their median: for what must never happen.
	Worst bool `json:"worst,omitempty"`
}

const (
	ofRatio = "ratio"
	ofOurs  = "ours"
)

// The verdicts on targets.
const (
	met      = "yes"
	missed   = "NO"
	tooFew   = "too few"
	notTaken = "not taken"
)

// verdict compares a row with its target; a row without one has none.
func (r row) verdict() string {
	if r.Target == nil {
		return ""
	}
	values := r.Ours
	if r.Target.Of == ofRatio {
		values = r.Ratios()
	}
	switch {
	case len(values) == 0:
		return notTaken
	case r.Target.judged(values) > r.Target.Most:
		return missed
	case len(values) < enough && !r.Whole, len(r.Ours) < r.Wanted:
		return tooFew
	}
	return met
}

// judged is which of the values must be within the target, of one or more.
func (t target) judged(values []float64) float64 {
	if t.Worst {
		return slices.Max(values)
	}
	return median(values)
}

func (t target) String(unit string) string {
	most := "<= " + figure(t.Most, unit)
	if t.Of == ofRatio {
		most = fmt.Sprintf("ratio <= %.2f", t.Most)
	}
	if t.Worst {
		return most + " each"
	}
	return most
}

// grows says whether a series of counts rises: the middle of its last third is
// above that of its first by more than the slack, which is what noise may add.
func grows(values []float64, slack float64) bool {
	third := len(values) / 3
	if third == 0 {
		return false
	}
	return median(values[len(values)-third:])-median(values[:third]) > slack
}
