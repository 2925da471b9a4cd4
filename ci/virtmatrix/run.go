package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/journal"
	"github.com/virtmatrix/virtmatrix/internal/progress"
	"github.com/virtmatrix/virtmatrix/internal/run"
	"github.com/virtmatrix/virtmatrix/internal/rundir"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/reports"
)

type runVerb struct {
	selection
	ruling
	Plan   string `placeholder:"FILE" help:"Run this frozen plan." xor:"what"`
	Shard  string `placeholder:"K/N" help:"Run the K-th of N shards of the plan, whole cells of about the same cost: plan once (virtmatrix plan -o FILE), run each shard with -plan FILE, and make one run of them with virtmatrix merge. Exit code 0: the shard has all its answers, whatever they are."`
	Resume string `placeholder:"RUN" help:"Go on with a run that was stopped or killed: only what its journal lacks. What was begun with -fresh or -keep goes on so." xor:"what"`
	Keep   bool   `help:"Keep the evidence of passes too; nothing is answered from the cache then."`
	Seed   string `placeholder:"N|random" help:"Ask the checks of a cell in another order than the plan's: one that N gives, or that is drawn and printed, so that it can be had again. Nothing is answered from the cache then."`
	// Parallel is 0 for as many as fit.
	Parallel int `placeholder:"N" help:"Run N cells side by side, as far as there is memory, even if the processors are busy (as many as fit on the machine: virtmatrix doctor)."`
}

// Help is what virtmatrix run --help says beyond the flags.
func (*runVerb) Help() string {
	return `Everything goes to a folder of its own in runs/, and runs/latest leads to it. The exit code is that of virtmatrix gate. A check that passed before, with the same packages, images, settings and code on this machine, is answered from the cache and not run again, and so is a known difference between two images; the report says which, and -fresh runs all, also what the cache answered when a resumed run began. The first ^C ends the guests and keeps what was answered; the second kills.

Examples:
  virtmatrix run                                # the default profile
  virtmatrix run -profile smoke -cells xen -checks IX-PV
  virtmatrix run -profile containers            # each pair of qemu and libvirt, without booting a host
  virtmatrix run -profile ci -cells container   # only what runs in a container
  virtmatrix run -changed libvirt=9.0..11.3     # the cells in which it can matter, before and after
  virtmatrix run -profile containers -candidate libvirt=/srv/rebuild   # packages of a folder, before they are released
  virtmatrix run -plan plan.json
  virtmatrix run -plan plan.json -shard 3/8
  virtmatrix run -profile containers -seed random          # does a check lean on what another left?
  virtmatrix run -resume latest`
}

// Run runs the plan and judges it.
func (v *runVerb) Run(a *app) error {
	r := &runner{app: a, began: time.Now(), options: rundir.Options{Fresh: a.Fresh || v.Keep, Keep: v.Keep}, parallel: v.Parallel}
	if v.Parallel < 0 {
		return fmt.Errorf("cannot run %d cells side by side: give 1 or more", v.Parallel)
	}
	var err error
	if r.options.Seed, err = seed(v.Seed); err != nil {
		return err
	}
	r.options.Fresh = r.options.Fresh || r.options.Seed != 0
	// Rules that cannot be read are told before hours are spent.
	j, err := v.ruling.read(a)
	if err != nil {
		return err
	}
	r.by = &j
	if err := v.prepare(r); err != nil {
		return err
	}
	return r.execute(v.ruling)
}

// prepare gets the runner its plan, and the folder of a run that goes on.
func (v *runVerb) prepare(r *runner) (err error) {
	if v.Resume == "" {
		if r.plan, err = r.planned(v.Plan, v.selection); err == nil && v.Shard != "" {
			err = r.cutTo(v.Shard)
		}
		return err
	}
	if v.narrows() || v.chooses() || v.Shard+v.Seed != "" {
		return errors.New("cannot resume a part: a run goes on with its own plan and order; leave out what selects profile, cells, checks, shard and seed")
	}
	name := v.Resume
	if name == rundir.Latest {
		name = ""
	}
	if r.dir, err = r.openRun(name); err != nil {
		return err
	}
	r.resumed = true
	r.plan, err = r.dir.ReadPlan()
	return err
}

// seed reads a seed, or draws one.
func seed(text string) (n uint64, err error) {
	switch text {
	case "":
		return 0, nil
	case "random":
		return uint64(rand.Uint32()) + 1, nil
	}
	if n, err = strconv.ParseUint(text, 10, 64); err != nil || n == 0 {
		return 0, fmt.Errorf("cannot read seed %q: want a number from 1, or random", text)
	}
	return n, nil
}

// cutTo makes the plan a shard of it.
func (r *runner) cutTo(text string) error {
	shard, err := matrix.ParseShard(text)
	if err != nil {
		return err
	}
	if r.plan.Shard != nil {
		return fmt.Errorf("cannot cut shard %s of a plan that is shard %s itself; name the whole plan", shard, r.plan.Shard)
	}
	cat, err := r.catalog()
	if err != nil {
		return err
	}
	r.whole = r.plan
	r.plan, err = cat.Cut(r.whole, shard)
	return err
}

// runner carries one run through its stages.
type runner struct {
	*app
	plan *matrix.Plan
	// whole is what plan was cut of, if it is a shard.
	whole *matrix.Plan
	dir   *rundir.Dir
	// resumed is set when the run goes on with what an earlier one left.
	resumed bool
	// options are what is asked for now, and then also when the run was begun.
	options rundir.Options
	// recalled is set when some of the answers came from the cache.
	recalled bool
	// parallel is how many cells run side by side; 0 lets the machine decide.
	parallel int
	// by tells of failures while they come which of them are known; nil tells of none.
	by *judge
	// fits is how many of the plan's cells fit side by side here.
	fits int
	// began is when the command was started; the others are what it spent on.
	began                            time.Time
	planning, cache, building, suite time.Duration
	// cut is why the suites may have left checks out, as far as that is known.
	cut string
}

func (r *runner) execute(by ruling) error {
	if err := r.collect(); err != nil {
		return err
	}
	return r.judge(by)
}

// collect gets the answers to all that the plan asks.
func (r *runner) collect() error {
	r.planning = time.Since(r.began)
	if err := r.open(); err != nil {
		return err
	}
	rows, left, err := r.rows()
	if err != nil {
		return err
	}
	if left > 0 && !r.options.Fresh {
		if err := r.recall(); err != nil {
			return err
		}
		if rows, left, err = r.rows(); err != nil {
			return err
		}
	}
	if left > 0 {
		fmt.Fprintf(r.stderr, "%s: %s on %s\n", short(r.dir.Path()), number(left, "check"), number(len(rows), "cell"))
		return r.answer(rows)
	}
	fmt.Fprintf(r.stderr, "%s: nothing is left to run: every check has its answer\n", short(r.dir.Path()))
	return nil
}

// open makes the folder of a new run, and stores what is asked for.
func (r *runner) open() (err error) {
	if r.dir == nil {
		name := r.plan.Profile
		if r.plan.Shard != nil {
			name = fmt.Sprintf("%s-shard-%d-of-%d", name, r.plan.Shard.Number, r.plan.Shard.Count)
		}
		if r.dir, err = rundir.New(r.Runs, name); err != nil {
			return err
		}
	}
	// The options come first: a folder without a plan is no run.
	if r.options, err = r.dir.AddOptions(r.options); err != nil || r.resumed {
		return err
	}
	if r.options.Seed != 0 {
		r.note(fmt.Errorf("the checks of each cell were asked in the order of -seed %d", r.options.Seed))
	}
	if r.whole != nil {
		if err := r.dir.WriteWhole(r.whole); err != nil {
			return err
		}
	}
	return r.dir.WritePlan(r.plan)
}

// answer builds the images and runs the suites.
func (r *runner) answer(rows []progress.Row) error {
	source, err := r.sourceRoot()
	if err != nil {
		return err
	}
	sink, done := r.show(rows)
	defer done()
	start := time.Now()
	if err := r.build(r.plan, sink); err != nil {
		return err
	}
	r.building = time.Since(start)
	start = time.Now()
	fit, err := run.Fits(r.ctx, r.Runtime, r.plan.Cells...)
	if err != nil {
		return fmt.Errorf("cannot tell how many cells fit here: %w", err)
	}
	r.fits = fit.Number()
	code, err := run.CodeState(r.ctx, source)
	if err != nil {
		r.note(err) // answers are not kept then
	}
	s := &suites{
		dir: r.dir, argv: r.ginkgo(), env: r.environment(source, code), source: source, scratch: run.Scratch(absolute(r.Home)),
		events: r.knowing(sink), say: func(text string) { done(); fmt.Fprintln(r.stderr, text) },
	}
	r.cut, err = s.run()
	done()
	r.suite = time.Since(start)
	return err
}

// show tells people how the cells get on.
func (r *runner) show(rows []progress.Row) (sink progress.Sink, done func()) {
	if r.Verbose {
		return progress.Plain(r.stderr, rows...)
	}
	return progress.Show(r.stderr, rows)
}

// rows are the cells of the plan with the checks they must answer, less those
// that have an answer, and how many checks are left.
func (r *runner) rows() (rows []progress.Row, left int, err error) {
	records, damage, err := run.Answers(r.dir)
	if err != nil {
		return nil, 0, err
	}
	if err := damage.Err(); err != nil {
		return nil, 0, fmt.Errorf("cannot go on with %s: %w", short(r.dir.Path()), err)
	}
	answered := journal.Answered(r.plan, records)
	for i := range r.plan.Cells {
		c := &r.plan.Cells[i]
		row := progress.Row{Cell: c.ID}
		for _, check := range c.Checks {
			if !check.Asked() {
				continue
			}
			row.Checks++
			if answered[c.ID][check.ID] != "" {
				row.Done++
			}
		}
		if row.Checks > 0 { // a cell that is asked nothing has no host
			rows, left = append(rows, row), left+row.Checks-row.Done
		}
	}
	return rows, left, nil
}

// judge gives the verdicts, stores the reports and prints the matrix.
func (r *runner) judge(by ruling) error {
	j, err := by.read(r.app)
	if err != nil {
		return err
	}
	m, err := j.run(r.dir)
	if err != nil {
		return err
	}
	if !r.resumed {
		m.Run.WallSeconds = time.Since(r.began).Seconds()
	}
	if err := r.store(m); err != nil {
		return err
	}
	shown, err := reports.FormatNamed("terminal", reports.Options{Colour: progress.Colour(r.stdout)})
	if err != nil {
		return err
	}
	if err := shown.Render(r.stdout, m); err != nil {
		return err
	}
	r.times(m)
	if m.Totals[matrix.Missing]+m.Totals[matrix.Infra] > 0 {
		if m.Totals[matrix.Missing] > 0 && r.cut != "" {
			fmt.Fprintf(r.stdout, "\n%s\n", r.cut)
		}
		fmt.Fprintf(r.stdout, "go on with: virtmatrix run -resume %s\n", short(r.dir.Path()))
	}
	if r.plan.Shard != nil && m.Totals[matrix.Missing] == 0 {
		return nil // what the answers say is judged of the whole
	}
	return leave(m.Decision.Code)
}

// store writes every format of the report into the run's folder.
func (r *runner) store(m *reports.Matrix) error {
	root, err := os.OpenRoot(r.dir.Path())
	if err != nil {
		return fmt.Errorf("cannot open run: %w", err)
	}
	defer root.Close()
	for _, f := range reports.Formats(reports.Options{Evidence: root.FS()}) {
		if err := r.dir.Write(f.File, func(w *os.File) error { return f.Render(w, m) }); err != nil {
			return err
		}
	}
	return nil
}
