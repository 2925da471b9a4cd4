package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/console"
	"github.com/virtmatrix/virtmatrix/internal/owner"
	"github.com/virtmatrix/virtmatrix/internal/progress"
	"github.com/virtmatrix/virtmatrix/internal/run"
	"github.com/virtmatrix/virtmatrix/internal/rundir"
	"github.com/virtmatrix/virtmatrix/internal/source/apt"
	"github.com/virtmatrix/virtmatrix/internal/store"
)

// The time after which a run is given up, for it must end some day: each check has
// a limit of its own. A cell's boot and a check take a fraction of these even
// where everything is emulated on a busy machine; roomLimit is for waiting until
// other runs make room.
const (
	roomLimit  = 24 * time.Hour
	baseLimit  = 15 * time.Minute
	cellLimit  = 15 * time.Minute
	checkLimit = 6 * time.Minute
)

// ginkgo is the command that runs the suites.
func (r *runner) ginkgo() []string {
	limit := roomLimit + baseLimit + time.Duration(len(r.plan.Cells))*cellLimit + time.Duration(planned(r.plan))*checkLimit
	argv := []string{
		"sh", "-c", compileAndRun, "sh",
		"run", fmt.Sprintf("--procs=%d", r.processes()),
		fmt.Sprintf("--timeout=%s", limit), "--poll-progress-after=3m", "--fail-on-empty", "--keep-going", "--no-color",
	}
	if r.Verbose {
		argv = append(argv, "-v")
	}
	return argv
}

// environment is what the suites are told.
func (r *runner) environment(source, code string) []string {
	env := append(os.Environ(),
		rundir.Env+"="+r.dir.Path(), run.SourceEnv+"="+source, store.HomeEnv+"="+absolute(r.Home), run.RuntimeEnv+"="+r.Runtime,
		run.CodeEnv+"="+code)
	if r.Mirror != "" {
		env = append(env, apt.MirrorEnv+"="+r.Mirror)
	}
	if r.Matrix != "" {
		env = append(env, run.MatrixEnv+"="+absolute(r.Matrix))
	}
	if r.resumed || r.recalled {
		env = append(env, run.ResumeEnv+"=1")
	}
	if r.parallel > 0 {
		env = append(env, fmt.Sprintf("%s=%d", run.ParallelEnv, r.parallel))
	}
	if r.options.Keep {
		env = append(env, run.KeepEnv+"=1")
	}
	if r.options.Selftest {
		env = append(env, run.SelftestEnv+"=1")
	}
	return env
}

// absolute makes a path mean the same in another folder.
func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// sourceRoot finds the checkout whose suites run.
func (a *app) sourceRoot() (root string, err error) {
	if a.Source != "" {
		root, err = filepath.Abs(a.Source)
	} else {
		root, err = run.ModuleRoot(a.ctx)
	}
	if err == nil {
		_, err = os.Stat(filepath.Join(root, "suites"))
	}
	if err != nil {
		return "", fmt.Errorf("cannot find the suites: %w; run in a checkout of virtmatrix or give one with -source", err)
	}
	return root, nil
}

// suites is one call of the test runner.
type suites struct {
	dir    *rundir.Dir
	argv   []string
	env    []string
	source string
	// scratch is the folder for what must not outlive the run.
	scratch string
	// events is told what the suites do, say prints a line for people after
	// the display of events has ended.
	events progress.Sink
	say    func(text string)
}

// compileAndRun compiles the suites into the run's own folder, so that runs of
// one checkout do not share a file, and a killed one leaves none. The test runner
// is asked for by its path: go itself would stay in memory beside it. The tests of the
// suites themselves are no part of a run.
const compileAndRun = `set -e; suites=$TMPDIR/suites.test; go test -c -tags ` + run.Tags + ` -o "$suites" ./suites; ginkgo=$(go tool -n ginkgo); exec "$ginkgo" "$@" "$suites" -- -test.run=^TestSuites$`

// run runs the suites to their end, and ends them at ^C.
func (s *suites) run() (cut string, err error) {
	// Signals are caught before there is something that they must end.
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	return s.runUntil(signals)
}

// runUntil runs the suites to their end. It fails when they gave no answer at
// all: then there is nothing to judge. When they may have left checks out it
// says why.
func (s *suites) runUntil(signals <-chan os.Signal) (cut string, err error) {
	began := time.Now()
	log, err := os.OpenFile(s.dir.Log(), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return "", fmt.Errorf("cannot run suites: %w", err)
	}
	defer log.Close()
	folder, err := owner.NewFolder(s.scratch, "run-")
	if err != nil {
		return "", fmt.Errorf("cannot run suites: %w", err)
	}
	defer folder.Remove()
	p, err := owner.Start(owner.Options{
		Argv: s.argv, Env: append(s.env, "TMPDIR="+folder.Path), Dir: s.source, Output: log, Remove: folder.Path,
	})
	if err != nil {
		return "", fmt.Errorf("cannot run suites: %w", err)
	}
	defer p.Kill()
	stop := s.follow(began)
	interrupted := s.wait(p, signals)
	stop()
	return s.ended(p.Err(), interrupted, began)
}

// follow shows the events of this call; those of an earlier one that a run goes
// on with are over.
func (s *suites) follow(began time.Time) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		// Without the events there is less to see, and nothing else is lost.
		_ = progress.Follow(ctx, s.dir.Path(), func(e progress.Event) {
			if !e.Time.Before(began) {
				s.events(e)
			}
		})
	}()
	return func() {
		cancel()
		<-done
	}
}

// wait waits for the runner's end. The first signal asks it to end its guests
// and to keep what was answered, the second kills it and all it started.
func (s *suites) wait(p *owner.Process, signals <-chan os.Signal) (interrupted bool) {
	for {
		select {
		case <-p.Done():
			return interrupted
		case <-signals:
			if interrupted {
				s.say("killing the run; what was answered is kept")
				p.Kill()
				continue
			}
			interrupted = true
			s.say("stopping: the guests are ended and what was answered is kept; ^C again kills")
			if err := p.Signal(syscall.SIGINT); err != nil {
				s.say("killing the run: " + err.Error())
				p.Kill()
			}
		}
	}
}

// stoppedSuites is why checks were left out when somebody stopped them.
const stoppedSuites = "the suites were stopped"

// ended judges how the runner ended. Its own status means little: it fails when
// a check does. What counts is whether checks were answered.
func (s *suites) ended(err error, interrupted bool, began time.Time) (cut string, _ error) {
	answered, readErr := s.answered(began)
	switch {
	case readErr != nil:
		return "", readErr
	case err == nil:
		return "", nil
	case interrupted:
		return stoppedSuites, nil
	case answered:
		return fmt.Sprintf("the suites left checks out; the end of %s:\n%s", short(s.dir.Log()), s.lastWords()), nil
	}
	return "", fmt.Errorf("the suites ended before any check was answered: %w; the end of %s:\n%s", err, short(s.dir.Log()), s.lastWords())
}

// lastWords returns the end of the runner's log.
func (s *suites) lastWords() string {
	var b strings.Builder
	for line := range strings.SplitSeq(console.Log{Path: s.dir.Log()}.Tail(25), "\n") {
		fmt.Fprintf(&b, "  | %s\n", printable(line))
	}
	return strings.TrimSuffix(b.String(), "\n")
}
