package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/journal"
	"github.com/virtmatrix/virtmatrix/internal/rundir"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// sideBySide is how many cells of a run are in flight at once.
var sideBySide = []int{1, 2, 4}

// runChecks are what each of those cells is asked: a guest is started in each.
var runChecks = []string{"O-CONN", "O-DEF", "O-START"}

// runs are those of the default profile, which has four cells, by how many are
// side by side.
type runs struct {
	*lab
	command string
	plan    *matrix.Plan
	// series has the figures of beside(n), processes what the last of them had in
	// memory, and flaws the answers of all of them that were not a PASS at once.
	series           series
	processes, flaws map[int][]string
}

// beside is the side of the runs with n cells side by side.
func beside(n int) string { return fmt.Sprintf("%d side by side", n) }

// figureWall and the others are what is seen of a run.
const (
	figureWall    = "wall"
	figureCPU     = "cpu"
	figureFlaws   = "flaws"
	figureHarness = "harness"
	figureLargest = "largest"
	figureHost    = "host"
)

// memory shows what the harness and its hosts take while cells are in flight.
func memory(ctx context.Context, l *lab) ([]row, error) {
	all, err := l.runsSideBySide(ctx)
	if all == nil {
		return nil, err
	}
	var rows []row
	for _, n := range sideBySide {
		var limit *target
		if n == 4 {
			limit = &target{Of: ofOurs, Most: 150 << 20}
		}
		s := all.series.judging(beside(n))
		harness := rowOf(s, figureHarness, "", fmt.Sprintf("the harness's most with %d cells in flight", n), inBytes, limit)
		harness.Notes = all.processes[n]
		rows = append(rows, harness,
			rowOf(s, figureLargest, "", "... its largest process", inBytes, nil),
			rowOf(s, figureHost, "", "... the most of one host's emulator", inBytes, nil))
	}
	return rows, err
}

// parallel shows what it brings to have cells side by side.
func parallel(ctx context.Context, l *lab) ([]row, error) {
	all, err := l.runsSideBySide(ctx)
	if all == nil {
		return nil, err
	}
	var rows []row
	for _, n := range sideBySide {
		s, against := all.series.judging(beside(n)), beside(1)
		if n == 1 {
			against = ""
		}
		flawed := rowOf(s, figureFlaws, "", "... answers that were not a PASS at the first try", inCount, &target{Of: ofOurs, Most: 0, Worst: true})
		flawed.Notes = all.flaws[n]
		rows = append(rows,
			rowOf(s, figureWall, against, fmt.Sprintf("4 cells, %d side by side; compared with one by one", n), inSeconds, nil),
			rowOf(s, figureCPU, against, "... processors' time", inSeconds, nil),
			flawed)
	}
	return rows, err
}

// runsSideBySide runs the default profile for both measures, once. With an error
// come the runs that there are.
func (l *lab) runsSideBySide(ctx context.Context) (_ *runs, err error) {
	if l.runs != nil {
		return l.runs, nil
	}
	all := &runs{lab: l, processes: map[int][]string{}, flaws: map[int][]string{}}
	if err := all.prepare(ctx); err != nil {
		return nil, err
	}
	l.say("building images, and booting each host once for its snapshot")
	// Nothing is counted of the first: it builds, compiles, and boots.
	if _, err := all.one(ctx, 2); err != nil {
		return nil, err
	}
	var sides []side
	for _, n := range sideBySide {
		sides = append(sides, side{beside(n), func(ctx context.Context) (map[string]float64, error) {
			ran, err := all.one(ctx, n)
			if err != nil {
				return nil, err
			}
			all.processes[n] = []string{"processes: " + processes(ran.by)}
			all.flaws[n] = append(all.flaws[n], ran.flaws...)
			return ran.values(), nil
		}})
	}
	if all.series, err = l.inTurn(ctx, figureWall, sides...); err == nil {
		l.runs = all
	}
	return all, err
}

// prepare builds the command and plans what it is to run.
func (r *runs) prepare(ctx context.Context) (err error) {
	if r.command, err = r.lab.command(ctx); err != nil {
		return err
	}
	file := r.file("runs.json")
	if err := quietly(ctx, r.command, "plan", "-profile", matrix.DefaultProfile, "-checks", strings.Join(runChecks, ","), "-o", file); err != nil {
		return err
	}
	r.plan, err = rundir.ReadPlan(file)
	return err
}

// processes lists names with their memory, the largest first.
func processes(by map[string]float64) string {
	names := slices.SortedFunc(maps.Keys(by), func(a, b string) int { return int(by[b]/1024) - int(by[a]/1024) })
	var words []string
	for _, name := range names {
		words = append(words, fmt.Sprintf("%s %.0f MiB", name, by[name]/(1<<20)))
	}
	return strings.Join(words, ", ")
}

// outcome is what one run took, in seconds and bytes, and the answers that were not
// a PASS at once, in words.
type outcome struct {
	wall, cpu float64
	flaws     []string
	watched
}

func (o outcome) values() map[string]float64 {
	values := map[string]float64{figureWall: o.wall, figureCPU: o.cpu, figureFlaws: float64(len(o.flaws))}
	// What was never seen is no figure.
	if o.harness > 0 {
		values[figureHarness], values[figureLargest], values[figureHost] = o.harness, o.largest, o.host
	}
	return values
}

// one runs the profile with n cells side by side, as users do.
func (r *runs) one(ctx context.Context, n int) (o outcome, err error) {
	folder := r.file("runs")
	// A run that never began must not be taken for the one before.
	if err := os.RemoveAll(folder); err != nil {
		return o, err
	}
	// Nothing of it may come from an earlier run's answers.
	cmd := exec.CommandContext(ctx, r.command, "run", "-plan", r.file("runs.json"), "-fresh", "-parallel", fmt.Sprint(n), "-runs", folder, "-v")
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // it ends its hosts
	log, err := os.Create(r.file("run.log"))
	if err != nil {
		return o, err
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return o, err
	}
	seen := make(chan watched, 1)
	done := make(chan struct{})
	go func() { seen <- watchRun(cmd.Process.Pid, n, done) }()
	failed := cmd.Wait()
	o.wall = time.Since(began).Seconds()
	o.cpu = (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
	close(done)
	o.watched = <-seen
	if o.flaws, err = r.flawsIn(folder, failed); err != nil {
		text, _ := os.ReadFile(log.Name())
		err = fmt.Errorf("cannot run the profile: %w; it says %s", err, text[max(0, len(text)-2000):])
	}
	return o, err
}

// flawsIn are the answers of the latest run in a folder that were not a PASS at the
// first attempt. failed is how the command ended: its exit code tells of the answers,
// which are looked at here, and a run that was killed is none.
func (r *runs) flawsIn(folder string, failed error) ([]string, error) {
	var exit *exec.ExitError
	if errors.As(failed, &exit) && exit.Exited() {
		failed = nil
	}
	records, err := latest(folder)
	if err := errors.Join(failed, err); err != nil {
		return nil, err
	}
	return flaws(r.plan, records)
}

// latest reads the answers of the latest run in a folder. Without any there was no
// run.
func latest(runs string) ([]journal.Record, error) {
	dir, err := rundir.Open(filepath.Join(runs, rundir.Latest))
	if err != nil {
		return nil, err
	}
	records, _, err := journal.Read(dir.Path())
	if err == nil && len(records) == 0 {
		err = errors.New("the run has no answers")
	}
	return records, err
}

// flaws are the answers to a plan that were not a PASS at the first attempt. When
// one is missing, or was not given by this run, the run did less than others: that
// is an error, for it would count as a faster one.
func flaws(plan *matrix.Plan, records []journal.Record) (list []string, err error) {
	type question struct{ cell, check string }
	given := map[question]journal.Record{}
	for _, rec := range records {
		given[question{rec.Cell, rec.Check}] = rec
	}
	for _, c := range plan.Cells {
		for _, check := range c.Checks {
			rec, ok := given[question{c.ID, check.ID}]
			switch {
			case !check.Asked():
				continue
			case !ok:
				return nil, fmt.Errorf("%s of %s has no answer", check.ID, c.ID)
			case rec.Cached != nil:
				return nil, fmt.Errorf("%s of %s was answered by an earlier run", check.ID, c.ID)
			}
			if err := atOnce(rec); err != nil {
				list = append(list, c.ID+": "+firstLine(err.Error()))
			}
		}
	}
	return list, nil
}

// watched is the most that was seen of a run's memory, in bytes.
type watched struct {
	// harness is all its processes, largest the largest of them, host the largest
	// emulator. by is harness by name.
	harness, largest, host float64
	by                     map[string]float64
}

// lookEvery is how often the memory of a run is looked at.
const lookEvery = 250 * time.Millisecond

// watchRun looks at a run's processes while n hosts are there.
func watchRun(pid, n int, done <-chan struct{}) (most watched) {
	for {
		select {
		case <-done:
			return most
		case <-time.After(lookEvery):
		}
		below := descendants(pid)
		hosts := 0
		for _, p := range below {
			if p.isHost() {
				hosts++
			}
		}
		if hosts >= n {
			most.look(append(below, proc{pid: pid, argv: []string{"virtmatrix"}}))
		}
	}
}

// look takes what the processes have now when it is more. Memory that processes
// share is counted once: each has its part of it.
func (w *watched) look(all []proc) {
	var harness float64
	by := map[string]float64{}
	for _, p := range all {
		whole, part, err := resident(p.pid)
		if err != nil {
			continue // it has just ended
		}
		if p.isHost() {
			w.host = max(w.host, whole)
			continue
		}
		harness += part
		by[p.name()] += part
		w.largest = max(w.largest, whole)
	}
	if harness > w.harness {
		w.harness, w.by = harness, by
	}
}
