package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// The units of rows.
const (
	inSeconds = "s"
	inBytes   = "B"
	inCount   = ""
)

// row is one line of the table.
type row struct {
	Measure string `json:"measure"`
	What    string `json:"what"`
	Unit    string `json:"unit,omitempty"`
	// Ours and Plain are the samples, in the order they were taken.
	Ours  []float64 `json:"ours,omitempty"`
	Plain []float64 `json:"plain,omitempty"`
	// Wanted is how many samples there were to be; with fewer no target is met.
	Wanted int `json:"wanted,omitempty"`
	// Target is what must be shown; nil for a figure that decides nothing. Whole
	// says that one sample is made of many, and enough for a verdict.
	Target *target `json:"target,omitempty"`
	Whole  bool    `json:"whole,omitempty"`
	// Busy is how many processors others kept busy before each sample, Load the
	// machine's load average then.
	Busy []float64 `json:"busy,omitempty"`
	Load []float64 `json:"load,omitempty"`
	// Why says what kept the measure from its end; Notes explain its figures.
	Why   string   `json:"why,omitempty"`
	Notes []string `json:"notes,omitempty"`
}

// rowOf makes a row of one figure of ours against another side's, empty for none.
func rowOf(s series, figure, against, what, unit string, t *target) row {
	r := row{What: what, Unit: unit, Ours: of(s.samples[ours], figure), Plain: of(s.samples[against], figure), Wanted: s.wanted, Target: t}
	for _, name := range []string{ours, against} {
		for _, one := range s.samples[name] {
			r.Busy, r.Load = append(r.Busy, one.Busy), append(r.Load, one.Load)
		}
	}
	return r
}

// ended are the rows of a measure, and one more that says what kept it from its end.
func ended(rows []row, err error) []row {
	if err == nil {
		return rows
	}
	what := "not taken"
	if slices.ContainsFunc(rows, func(r row) bool { return len(r.Ours) > 0 }) {
		what = "not finished"
	}
	return append(rows, row{What: what, Why: err.Error()})
}

// Ratios are ours to plain, pair by pair.
func (r row) Ratios() []float64 { return ratios(r.Ours, r.Plain) }

// report is everything that was measured.
type report struct {
	Started time.Time `json:"started"`
	Machine machine   `json:"machine"`
	Rows    []row     `json:"rows"`
}

// met says whether every target that was asked for is.
func (r *report) met() bool {
	for _, row := range r.Rows {
		if v := row.verdict(); row.Why != "" || v != "" && v != met {
			return false
		}
	}
	return true
}

// print prints the table, and below it what needs more words.
func (r *report) print(w io.Writer) error {
	fmt.Fprintf(w, "%s\nmedians, with the least and the most of the samples; ratios pair by pair\n\n", r.Machine)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "measure\twhat\tN\tours\tplain\tratio\ttarget\tmet\tothers busy")
	var words []string
	for _, row := range r.Rows {
		fmt.Fprintln(t, strings.Join(row.columns(), "\t"))
		for _, n := range row.Notes {
			words = append(words, fmt.Sprintf("%s, %s: %s", row.Measure, row.What, n))
		}
		if row.Why != "" {
			words = append(words, fmt.Sprintf("%s: %s: %s", row.Measure, row.What, row.Why))
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if len(words) > 0 {
		fmt.Fprintf(w, "\n%s\n", strings.Join(words, "\n"))
	}
	return nil
}

func (r row) columns() []string {
	wanted := ""
	if r.Target != nil {
		wanted = r.Target.String(r.Unit)
	}
	taken := fmt.Sprint(len(r.Ours))
	if len(r.Ours) < r.Wanted {
		taken = fmt.Sprintf("%d of %d", len(r.Ours), r.Wanted)
	}
	busy := ""
	if len(r.Busy) > 0 {
		busy = fmt.Sprintf("%.1f (%.1f)", median(r.Busy), slices.Max(r.Busy))
	}
	ratio := ""
	if all := r.Ratios(); len(all) > 0 {
		ratio = fmt.Sprintf("%.2f (%.2f-%.2f)", median(all), slices.Min(all), slices.Max(all))
	}
	return []string{r.Measure, r.What, taken, spread(r.Ours, r.Unit), spread(r.Plain, r.Unit), ratio, wanted, r.verdict(), busy}
}

// spread is the median with the least and the most.
func spread(values []float64, unit string) string {
	switch len(values) {
	case 0:
		return ""
	case 1:
		return figure(values[0], unit)
	}
	return fmt.Sprintf("%s (%s-%s)", figure(median(values), unit), bare(slices.Min(values), unit), bare(slices.Max(values), unit))
}

// figure writes a value with its unit, bare without.
func figure(v float64, unit string) string {
	switch unit {
	case inSeconds:
		return bare(v, unit) + " s"
	case inBytes:
		return bare(v, unit) + " MiB"
	}
	return bare(v, unit)
}

func bare(v float64, unit string) string {
	switch {
	case unit == inBytes:
		return fmt.Sprintf("%.0f", v/(1<<20))
	case unit == inSeconds && v < 10:
		return fmt.Sprintf("%.2f", v)
	case unit == inSeconds:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.4g", v)
}
