package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// row is one line of the table: what is shown of a series, and then its values.
type row struct {
	measure, what, unit string
	// figure is of the side ours, and is compared with that of the side plain;
	// without a name they are those of these names, and nothing to compare with.
	figure, ours, plain string
	// of is what is judged, and most the largest value that will do; nothing of a
	// figure that decides nothing.
	of   judged
	most float64

	values, floor []float64
	wanted        int
	// broken says that something kept the measure from its end.
	broken bool
}

// judged is what of a row's values is judged.
type judged string

const (
	nothing  judged = ""
	ofRatios judged = "ratio"   // the median of the ratios to plain
	ofOurs   judged = "median"  // the median of ours
	ofWorst  judged = "each"    // each of ours: what must never happen
	ofGrowth judged = "growing" // by how much ours rise from their first third to the last
)

// enough is the number of samples that a verdict needs.
const enough = 5

// met is the verdict on a target that is met.
const met = "yes"

// verdict compares a row with its target; a row without one has none.
func (r row) verdict() string {
	values := r.values
	if r.of == ofRatios {
		values = ratios(r.values, r.floor)
	}
	switch {
	case r.of == nothing:
		return ""
	case len(values) == 0:
		return "not taken"
	}
	v := median(values)
	switch third := (len(values) + 2) / 3; r.of {
	case ofWorst:
		v = slices.Max(values)
	case ofGrowth:
		v = median(values[len(values)-third:]) - median(values[:third])
	}
	switch {
	case v > r.most:
		return "NO"
	case len(values) < max(enough, r.wanted):
		return "too few"
	}
	return met
}

// median is the middle of the values, 0 of none.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

// ratios divides pair by pair, so that a machine that becomes slower does not
// count against one side.
func ratios(ours, plain []float64) (all []float64) {
	for i := range min(len(ours), len(plain)) {
		if plain[i] > 0 {
			all = append(all, ours[i]/plain[i])
		}
	}
	return all
}

// table is everything that was measured.
type table struct {
	machine string
	rows    []row
	notes   []string
}

// add shows a series in rows, and in one more what kept it from its end.
func (t *table) add(measure string, s series, rows []row, err error) {
	what := "not taken"
	for _, r := range rows {
		r.measure, r.wanted = measure, s.wanted
		r.values, r.floor = s.of(cmp.Or(r.ours, ours), r.figure), s.of(r.plain, r.figure)
		if len(r.values) > 0 {
			what = "not finished"
		}
		t.rows = append(t.rows, r)
	}
	if len(s.spoilt) > 0 {
		t.notes = append(t.notes, fmt.Sprintf("%s: %d of its turns were spoilt and taken again, all sides: %s", measure, len(s.spoilt), strings.Join(s.spoilt, "; ")))
	}
	if err != nil {
		t.rows = append(t.rows, row{measure: measure, what: what, broken: true})
		t.notes = append(t.notes, fmt.Sprintf("%s: %s: %v", measure, what, err))
	}
}

// met says whether every target that was asked for is.
func (t table) met() bool {
	return !slices.ContainsFunc(t.rows, func(r row) bool {
		v := r.verdict()
		return r.broken || v != "" && v != met
	})
}

// print prints the table, and below it what needs more words.
func (t table) print(w io.Writer) error {
	fmt.Fprintf(w, "%s\nmedians, with the least and the most of the samples; ratios pair by pair\n\n", t.machine)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "measure\twhat\tN\tours\tplain\tratio\ttarget\tmet")
	for _, r := range t.rows {
		taken, target := fmt.Sprint(len(r.values)), ""
		if len(r.values) < r.wanted {
			taken = fmt.Sprintf("%d of %d", len(r.values), r.wanted)
		}
		if r.of != nothing {
			target = fmt.Sprintf("%s <= %.3g", r.of, r.most)
		}
		columns := []string{r.measure, r.what, taken, spread(r.values, r.unit), spread(r.floor, r.unit), spread(ratios(r.values, r.floor), ""), target, r.verdict()}
		fmt.Fprintln(tw, strings.Join(columns, "\t"))
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w, strings.Join(append([]string{""}, t.notes...), "\n"))
	return err
}

// spread is the median with the least and the most.
func spread(values []float64, unit string) string {
	if len(values) == 0 {
		return ""
	}
	return strings.TrimSpace(fmt.Sprintf("%.3g (%.3g-%.3g) %s", median(values), slices.Min(values), slices.Max(values), unit))
}
