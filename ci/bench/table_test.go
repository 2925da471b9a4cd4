package main

import (
	"errors"
	"flag"
	"slices"
	"strings"
	"testing"
)

func TestTheTable(t *testing.T) {
	r := &report{
		Machine: machine{Processor: "Some CPU", Processors: 2, MemoryMB: 2048, Kernel: "6.1", Accel: "tcg", Emulator: "1:7.2", Scale: 1.5, Revision: "abc"},
		Rows: []row{
			{Measure: "boot", What: "serves", Unit: inSeconds, Ours: []float64{11, 11, 12}, Plain: []float64{10, 10, 10}, Target: &target{Of: ofRatio, Most: 1.1}, Busy: []float64{0, 0.5, 1}},
			{Measure: "memory", What: "harness", Unit: inBytes, Ours: []float64{100 << 20, 120 << 20}, Target: &target{Of: ofOurs, Most: 150 << 20}, Notes: []string{"processes: x"}},
			{Measure: "parallel", What: "faults", Ours: []float64{0, 0, 2, 0, 0}, Target: &target{Of: ofOurs, Most: 0, Worst: true}},
			{Measure: "soak", What: "grew", Ours: []float64{0}, Target: &target{Of: ofOurs, Most: 0}, Whole: true},
			{Measure: "cell", What: "all", Unit: inSeconds, Ours: []float64{100, 120, 110}, Plain: []float64{100, 100, 100}, Wanted: 5, Target: &target{Of: ofRatio, Most: 1.1}},
			{Measure: "cell", What: "not finished", Why: "O-SAVE ended in FAIL"},
			{Measure: "container", What: "not taken", Why: "no Docker"},
		},
	}
	var out strings.Builder
	if err := r.print(&out); err != nil {
		t.Fatal(err)
	}
	want := `2 x Some CPU, 2048 MiB, Linux 6.1, virtmatrix abc
L1 under tcg of qemu 1:7.2, scale 1.50
medians, with the least and the most of the samples; ratios pair by pair

measure    what       N  ours               plain              ratio             target         met      others busy
boot       serves     3  11.0 s (11.0-12.0)  10.0 s (10.0-10.0)  1.10 (1.10-1.20)  ratio <= 1.10  too few  0.5 (1.0)
memory     harness    2  110 MiB (100-120)                                        <= 150 MiB     too few
parallel   faults     5  0 (0-2)                                                  <= 0 each      NO
soak       grew       1  0                                                        <= 0           yes
cell  all  3 of 5  110.0 s (100.0-120.0)  100.0 s (100.0-100.0)  1.10 (1.00-1.20)  ratio <= 1.10  too few
cell       not finished  0
container  not taken  0

memory, harness: processes: x
cell: not finished: O-SAVE ended in FAIL
container: not taken: no Docker
`
	if squeeze(out.String()) != squeeze(want) {
		t.Errorf("the table is\n%s", out.String())
	}
}

// squeeze makes columns as wide as their words.
func squeeze(s string) string {
	var lines []string
	for line := range strings.Lines(s) {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	return strings.Join(lines, "\n")
}

func TestFigures(t *testing.T) {
	for _, tc := range []struct {
		v    float64
		unit string
		want string
	}{
		{1.234, inSeconds, "1.23 s"},
		{12.34, inSeconds, "12.3 s"},
		{150 << 20, inBytes, "150 MiB"},
		{3, inCount, "3"},
	} {
		if got := figure(tc.v, tc.unit); got != tc.want {
			t.Errorf("figure(%v, %q) = %q, want %q", tc.v, tc.unit, got, tc.want)
		}
	}
}

func TestTheCommandLine(t *testing.T) {
	for name, tc := range map[string]struct {
		args []string
		only []string
		says string
	}{
		"one":           {args: []string{"-only", "boot"}, only: []string{"boot"}},
		"in our order":  {args: []string{"-only", "soak, boot"}, only: []string{"boot", "soak"}},
		"misspelt":      {args: []string{"-only", "bot"}, says: `unknown measure "bot"; did you mean "boot"?`},
		"no samples":    {args: []string{"-n", "0"}, says: "cannot take 0 samples"},
		"few restores":  {args: []string{"-restores", "3"}, says: "cannot see growth in 3 restores"},
		"stray word":    {args: []string{"boot"}, says: `"boot" is no flag`},
		"unknown flag":  {args: []string{"-x"}, says: "see -help"},
		"not a number":  {args: []string{"-n", "many"}, says: "see -help"},
		"by itself all": {only: []string{"boot", "restore", "cell", "image", "plan", "memory", "parallel", "container", "soak"}},
	} {
		o, err := parse(tc.args, nil)
		if tc.says == "" {
			if err != nil || !slices.Equal(o.only, tc.only) {
				t.Errorf("%s: %q, %v", name, o.only, err)
			}
		} else if err == nil || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v, want %q", name, err, tc.says)
		}
	}
}

func TestHelpTeaches(t *testing.T) {
	var out strings.Builder
	if _, err := parse([]string{"-help"}, &out); !errors.Is(err, flag.ErrHelp) {
		t.Fatalf("parse = %v", err)
	}
	for _, m := range measures {
		if !strings.Contains(out.String(), m.name+" ") || !strings.Contains(out.String(), m.about) {
			t.Errorf("the help does not tell of %s", m.name)
		}
	}
	for _, word := range []string{"-only", "-n N", "-json FILE", "taken again", "does not end", "Exit code", "Examples:"} {
		if !strings.Contains(out.String(), word) {
			t.Errorf("the help lacks %q", word)
		}
	}
}

func TestAMeasureThatDoesNotEndKeepsItsSamples(t *testing.T) {
	own := &target{Of: ofOurs, Most: 1.5}
	some := []row{{What: "all", Ours: []float64{1}, Wanted: 5, Target: own}}
	none := []row{{What: "all", Wanted: 5, Target: own}}
	for name, tc := range map[string]struct {
		rows []row
		err  error
		what string
	}{
		"it ends":               {some, nil, "all"},
		"not, with samples":     {some, errors.New("it stalled"), "not finished"},
		"not, and none is done": {none, errors.New("it stalled"), "not taken"},
		"it does not begin":     {nil, errors.New("no Docker"), "not taken"},
	} {
		rows := ended(tc.rows, tc.err)
		last := rows[len(rows)-1]
		if last.What != tc.what || (last.Why == "") != (tc.err == nil) || len(rows) < len(tc.rows) {
			t.Errorf("%s: %+v", name, rows)
		}
		if (&report{Rows: rows}).met() {
			t.Errorf("%s: it is met", name)
		}
	}
}
