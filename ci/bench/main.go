// Command bench measures what virtmatrix costs, against plain tools that do the
// same work without our code, in the same run and in turn with ours.
//
// It judges by ratios, because a shared machine's speed drifts. A measure that
// cannot be taken here, or not to its end, says why and never counts as met.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/virtmatrix/virtmatrix/matrix"
)

// The exit codes.
const (
	exitMet     = 0
	exitNotMet  = 1
	exitTrouble = 2
)

// options are what the command line says.
type options struct {
	only     []string
	samples  int
	restores int
	json     string
}

func main() { os.Exit(execute(os.Args[1:], os.Stdout, os.Stderr)) }

// run measures and returns the exit code.
func execute(args []string, stdout, stderr io.Writer) int {
	// Debian leaves the folders of system programs out of users' PATH.
	if err := os.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin:/sbin"); err != nil {
		return complain(stderr, err)
	}
	o, err := parse(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return exitMet
	}
	if err == nil && os.Geteuid() != 0 {
		err = errors.New("cannot boot hosts: mount namespaces and package installation need root; run with sudo")
	}
	if err != nil {
		return complain(stderr, err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	report, err := take(ctx, o, stderr)
	if err != nil {
		return complain(stderr, err)
	}
	if err := report.print(stdout); err != nil {
		return complain(stderr, err)
	}
	if o.json != "" {
		if err := writeJSON(o.json, report); err != nil {
			return complain(stderr, err)
		}
	}
	if !report.met() {
		return exitNotMet
	}
	return exitMet
}

func complain(w io.Writer, err error) int {
	fmt.Fprintf(w, "bench: %v\n", err)
	return exitTrouble
}

const usage = `usage: go run ./ci/bench [flags]

Measures what virtmatrix costs, each against plain tools that do the same work
without our code, sampled in turn with ours (A B A B ...). Prints a table: a line
for each figure with the medians of ours and of the plain tools, the median of the
ratios pair by pair, and whether a target is met. A verdict needs 5 samples or more,
and a target that says "each" is for each sample and not for their median.

A turn that the machine spoilt, because a check ended in our own fault or a script
hung, is taken again, at most twice a measure, and the row says so. A measure that
does not end says why, shows the samples that it has, and counts as not met.

Boots emulated machines: leave the machine alone meanwhile. How busy others kept
its processors before each sample is in the table. Needs root.

Measures:
%s
Flags:
%s
Exit code: 0 all targets met, 1 one is missed or could not be judged, 2 trouble.

Examples:
  go run ./ci/bench -only boot,restore
  go run ./ci/bench -only soak -restores 50
  go run ./ci/bench -n 7 -json bench.json
`

// parse reads the command line.
func parse(args []string, out io.Writer) (options, error) {
	var o options
	var only string
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&only, "only", "", "take only these `measures`, separated by commas")
	flags.IntVar(&o.samples, "n", 5, "take `N` samples of each, after one that is not counted")
	flags.IntVar(&o.restores, "restores", 500, "restore `N` hosts in a row in measure soak")
	flags.StringVar(&o.json, "json", "", "write everything that was measured to `FILE`, each sample for itself")
	err := flags.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		var list, own strings.Builder
		for _, m := range measures {
			fmt.Fprintf(&list, "  %-10s %s\n", m.name, m.about)
		}
		flags.SetOutput(&own)
		flags.PrintDefaults()
		fmt.Fprintf(out, usage, list.String(), own.String())
		return o, err
	}
	if err != nil {
		return o, fmt.Errorf("cannot read command line: %w; see -help", err)
	}
	switch {
	case flags.NArg() > 0:
		return o, fmt.Errorf("cannot read command line: %q is no flag; see -help", flags.Arg(0))
	case o.samples < 1:
		return o, fmt.Errorf("cannot take %d samples: give 1 or more", o.samples)
	case o.restores < soakSteps:
		return o, fmt.Errorf("cannot see growth in %d restores: give %d or more", o.restores, soakSteps)
	}
	o.only, err = selected(only)
	return o, err
}

// selected are the names of the measures to take, in their own order.
func selected(list string) ([]string, error) {
	var known, names []string
	for _, m := range measures {
		known = append(known, m.name)
	}
	if list == "" {
		return known, nil
	}
	wanted := map[string]bool{}
	for name := range strings.SplitSeq(list, ",") {
		wanted[strings.TrimSpace(name)] = true
	}
	for _, name := range known {
		if wanted[name] {
			names = append(names, name)
			delete(wanted, name)
		}
	}
	for name := range wanted {
		return nil, matrix.Unknown("measure", name, known)
	}
	return names, nil
}

// take takes the measures one after another. What one of them stumbles over is in
// its rows, below the samples that there are; the error is about all.
func take(ctx context.Context, o options, progress io.Writer) (_ *report, err error) {
	l, err := openLab(ctx, o, progress)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	r := &report{Started: time.Now().UTC()}
	for _, m := range measures {
		if !slices.Contains(o.only, m.name) {
			continue
		}
		l.measure, l.samples = m.name, o.samples*max(m.times, 1)
		began := time.Now()
		rows, err := m.take(ctx, l)
		if ctx.Err() != nil {
			err = errors.New("stopped")
		}
		if err != nil {
			l.say("%v", err)
		}
		for _, row := range ended(rows, err) {
			row.Measure = m.name
			r.Rows = append(r.Rows, row)
		}
		l.say("done after %s", time.Since(began).Round(time.Second))
	}
	r.Machine = l.machine(context.WithoutCancel(ctx))
	return r, nil
}

// writeJSON writes the report as JSON.
func writeJSON(path string, r *report) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err == nil {
		err = os.WriteFile(path, append(text, '\n'), 0o644)
	}
	if err != nil {
		return fmt.Errorf("cannot write report: %w", err)
	}
	return nil
}
