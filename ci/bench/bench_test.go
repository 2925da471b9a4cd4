package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/virtmatrix/virtmatrix/internal/journal"
	"github.com/virtmatrix/virtmatrix/internal/owner"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/reports"
)

func TestVerdictsOnTargets(t *testing.T) {
	five := func(v float64) []float64 { return slices.Repeat([]float64{v}, 5) }
	for name, tc := range map[string]struct {
		row  row
		want string
	}{
		"nothing is wanted":       {row{values: five(1)}, ""},
		"a ratio that will do":    {row{values: five(11), floor: five(10), of: ofRatios, most: 1.1}, "yes"},
		"a ratio that will not":   {row{values: five(12), floor: five(10), of: ofRatios, most: 1.1}, "NO"},
		"a machine that slows":    {row{values: []float64{11, 11, 11, 22, 22}, floor: []float64{10, 10, 10, 20, 20}, of: ofRatios, most: 1.1}, "yes"},
		"nothing to compare with": {row{values: five(1), of: ofRatios, most: 1.1}, "not taken"},
		"no time at all":          {row{values: five(1), floor: five(0), of: ofRatios, most: 1.1}, "not taken"},
		"a figure that will do":   {row{values: five(1.5), of: ofOurs, most: 1.5}, "yes"},
		"a figure that will not":  {row{values: five(1.6), of: ofOurs, most: 1.5}, "NO"},
		"one slow sample of five": {row{values: []float64{1, 1, 9, 1, 1}, of: ofOurs, most: 1.5}, "yes"},
		"never, and once":         {row{values: []float64{0, 0, 1, 0, 0}, of: ofWorst}, "NO"},
		"four samples":            {row{values: five(1)[:4], of: ofOurs, most: 1.5}, "too few"},
		"four samples too slow":   {row{values: five(2)[:4], of: ofOurs, most: 1.5}, "NO"},
		"cut short":               {row{values: five(1), of: ofOurs, most: 1.5, wanted: 7}, "too few"},
		"no samples":              {row{of: ofOurs, most: 1.5}, "not taken"},
		"steady":                  {row{values: []float64{5, 5, 9, 5, 5, 5}, of: ofGrowth}, "yes"},
		"less":                    {row{values: []float64{9, 9, 8, 8, 7, 7}, of: ofGrowth}, "yes"},
		"one more each time":      {row{values: []float64{5, 6, 7, 8, 9, 10}, of: ofGrowth}, "NO"},
		"one more at last":        {row{values: []float64{5, 5, 5, 5, 6, 6}, of: ofGrowth}, "NO"},
		"wavers within slack":     {row{values: []float64{100, 104, 102, 103, 104, 105}, of: ofGrowth, most: 4}, "yes"},
	} {
		if got := tc.row.verdict(); got != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
}

func TestTheTable(t *testing.T) {
	samples := map[string][]figures{
		ours:  {{"time": 11, "up": 20}, {"time": 11, "up": 22}, {"time": 12, "up": 21}, {"time": 11, "up": 20}, {"time": 11, "up": 20}},
		plain: slices.Repeat([]figures{{"time": 10}}, 5),
	}
	rows := []row{{what: "serves", figure: "time", unit: "s", plain: plain, of: ofRatios, most: 1.1}, {what: "... up", figure: "up", unit: "s"}}
	all := table{machine: "a machine"}
	all.add("boot", series{samples: samples, wanted: 5, spoilt: []string{"it stalled"}}, rows, nil)
	if !all.met() {
		t.Error("all targets are met, and the table is not")
	}
	all.add("cell", series{samples: samples, wanted: 7}, rows[:1], errors.New("O-SAVE ended in FAIL"))
	all.add("container", series{wanted: 5}, nil, errors.New("no Docker"))
	if all.met() {
		t.Error("a measure did not end, and the table is met")
	}
	var out strings.Builder
	if err := all.print(&out); err != nil {
		t.Fatal(err)
	}
	want := `a machine
medians, with the least and the most of the samples; ratios pair by pair

measure what N ours plain ratio target met
boot serves 5 11 (11-12) s 10 (10-10) s 1.1 (1.1-1.2) ratio <= 1.1 yes
boot ... up 5 20 (20-22) s
cell serves 5 of 7 11 (11-12) s 10 (10-10) s 1.1 (1.1-1.2) ratio <= 1.1 too few
cell not finished 0
container not taken 0

boot: 1 of its turns were spoilt and taken again, all sides: it stalled
cell: not finished: O-SAVE ended in FAIL
container: not taken: no Docker
`
	var got strings.Builder
	for line := range strings.Lines(out.String()) {
		got.WriteString(strings.Join(strings.Fields(line), " ") + "\n")
	}
	if got.String() != want {
		t.Errorf("the table is\n%s", got.String())
	}
}

func TestATurnThatWasSpoiltIsTakenAgainAsAWhole(t *testing.T) {
	stall, failed := errors.Join(errSpoilt, errors.New("it stalled")), errors.New("it failed")
	for name, tc := range map[string]struct {
		ours, plain   []error // how the samples end, one after another
		order         string
		taken, spoilt int
		says          string
	}{
		"in turn":      {[]error{nil, nil}, []error{nil, nil}, "ours plain ours plain", 2, 0, ""},
		"one of ours":  {[]error{nil, stall, nil}, []error{nil, nil}, "ours plain ours ours plain", 2, 1, ""},
		"one of plain": {[]error{nil, nil, nil}, []error{stall, nil, nil}, "ours plain ours plain ours plain", 2, 1, ""},
		"too many":     {[]error{stall, nil, stall}, []error{stall}, "ours ours plain ours", 0, 2, "sample 1 of ours: spoilt by the machine\nit stalled"},
		"a failure":    {[]error{nil, failed}, []error{nil}, "ours plain ours", 1, 0, "sample 2 of ours: it failed"},
	} {
		var order []string
		scripted := func(name string, ends []error) side {
			n := 0
			return side{name, func(context.Context) (figures, error) {
				order = append(order, name)
				n++
				return figures{}, ends[n-1]
			}}
		}
		s := series{wanted: 2}
		err := s.take(t.Context(), []side{scripted(ours, tc.ours), scripted(plain, tc.plain)}, t.Logf)
		if (err == nil) != (tc.says == "") || err != nil && err.Error() != tc.says {
			t.Errorf("%s: %v, want %q", name, err, tc.says)
		}
		if got := strings.Join(order, " "); got != tc.order || len(s.spoilt) != tc.spoilt || len(s.samples[ours]) != tc.taken || len(s.samples[plain]) != tc.taken {
			t.Errorf("%s: the order is %q, %d spoilt, samples %v", name, got, len(s.spoilt), s.samples)
		}
	}
}

func TestAnswersThatAreNoPassAtTheFirstTryAreTold(t *testing.T) {
	result := func(v matrix.Verdict, attempts int, notes ...string) reports.Result {
		return reports.Result{Cell: "a", Check: "O-X", Verdict: v, Record: &journal.Record{Verdict: v, Attempts: attempts, Notes: notes}}
	}
	got, err := flawsOf(&reports.Matrix{Results: []reports.Result{
		result(matrix.Pass, 1), result(matrix.Unsupported, 0), result(matrix.Pass, 2, "attempt 1 stalled\nfor ever"), result(matrix.Fail, 1),
	}})
	want := []string{"O-X of a ended in PASS after 2 attempts: attempt 1 stalled", "O-X of a ended in FAIL after 1 attempts: "}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("flaws are %q, %v", got, err)
	}
	if _, err := flawsOf(&reports.Matrix{Results: []reports.Result{{Cell: "a", Check: "O-X", Verdict: matrix.Missing}}}); err == nil {
		t.Error("a run that left a check out counts as a faster one")
	}
}

func TestTheCommandLine(t *testing.T) {
	var help strings.Builder
	for args, want := range map[string]string{
		"-only boot,soak": "", "": "", "-help": "help requested", "-x": "not defined",
		"-only bot": `unknown measure "bot"; did you mean "boot"?`, "-n 0": "numbers of 1", "-restores 0": "numbers of 1", "boot": "flags alone",
	} {
		o, err := parse(strings.Fields(args), &help)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", args, err, want)
		}
		if args == "-only boot,soak" && !reflect.DeepEqual(o, options{only: []string{"boot", "soak"}, samples: 5, restores: 500}) {
			t.Errorf("%q is %+v", args, o)
		}
	}
	for _, m := range measures() {
		if !strings.Contains(help.String(), m.about) {
			t.Errorf("the help does not tell of %s", m.name)
		}
	}
}

func TestScripts(t *testing.T) {
	var marked []string
	for line := range strings.Lines(script("l1/checks.sh")) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "mark "); ok && name != "end" {
			marked = append(marked, name)
		}
	}
	if !slices.Equal(marked, checks) {
		t.Errorf("the script has %q, the harness is asked %q", marked, checks)
	}
	for _, name := range []string{"l1/checks.sh", "image.sh", "keep.sh", "qemu.sh"} {
		if out, err := exec.Command("sh", "-n", filepath.Join("plain", name)).CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", name, err, out)
		}
	}
	if out, err := exec.Command("perl", "-c", "plain/l1/talk.pl").CombinedOutput(); err != nil {
		t.Errorf("talk.pl: %v: %s", err, out)
	}
}

func TestMemoryIsReadInMiB(t *testing.T) {
	path := filepath.Join(t.TempDir(), "smaps_rollup")
	if err := os.WriteFile(path, []byte("Rss:     4096 kB\nPss:   2048 kB\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if rss, pss, none := valueOf(path, "Rss"), valueOf(path, "Pss"), valueOf(path, "Swap"); rss != 4 || pss != 2 || none != 0 {
		t.Errorf("Rss %g, Pss %g, Swap %g", rss, pss, none)
	}
}

func TestARunCountsOnlyWhenItAnsweredEverything(t *testing.T) {
	plan := &matrix.Plan{Version: matrix.PlanVersion, Cells: []matrix.Cell{{ID: "a", Checks: []matrix.PlannedCheck{{ID: "O-X"}}}}}
	if err := plan.Seal(); err != nil {
		t.Fatal(err)
	}
	answer := func(v matrix.Verdict, attempts int) []journal.Record {
		rec := journal.Ask(plan, &plan.Cells[0], plan.Cells[0].Checks[0])
		rec.Verdict, rec.Attempts, rec.Seconds, rec.Reason = v, attempts, 2, "for a reason"
		return []journal.Record{rec}
	}
	for name, tc := range map[string]struct {
		given  []journal.Record
		end    string // what the command does when it has left its matrix
		says   string
		spoilt bool
	}{
		"it passes":           {given: answer(matrix.Pass, 1)},
		"the gate holds":      {given: answer(matrix.Pass, 1), end: "exit 1"},
		"a check fails":       {given: answer(matrix.Fail, 1), says: "ended in FAIL"},
		"our own fault":       {given: answer(matrix.Infra, 2), says: "ended in INFRA", spoilt: true},
		"a second try":        {given: answer(matrix.Pass, 2), says: "after 2 attempts", spoilt: true},
		"it left a check out": {says: "has no answer"},
		"it was killed":       {given: answer(matrix.Pass, 1), end: "kill -9 $$", says: "signal: killed"},
	} {
		l := &lab{folder: &owner.Folder{Path: t.TempDir()}}
		l.virtmatrix = l.file("virtmatrix")
		left, err := json.Marshal(reports.Judge(plan, tc.given, nil))
		if err != nil {
			t.Fatal(err)
		}
		// Its arguments are run -v -runs FOLDER ...
		fake := "#!/bin/sh\nmkdir -p $4/latest; cat >$4/latest/matrix.json <<'end'\n" + string(left) + "\nend\n" + tc.end + "\n"
		if err := os.WriteFile(l.virtmatrix, []byte(fake), 0o755); err != nil {
			t.Fatal(err)
		}
		f, err := l.taker(1, true)(t.Context())
		if (err == nil) != (tc.says == "") || err != nil && !strings.Contains(err.Error(), tc.says) || errors.Is(err, errSpoilt) != tc.spoilt {
			t.Errorf("%s: %v, want %q, spoilt %t", name, err, tc.says, tc.spoilt)
		}
		if err == nil && (f["asked"] != 1 || f["checks"] != 2) {
			t.Errorf("%s: %v", name, f)
		}
	}
}
