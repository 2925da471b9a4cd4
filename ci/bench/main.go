// Command bench measures what virtmatrix costs, against plain tools that do the
// same work without our code, in the same run and in turn with ours.
//
// It judges by ratios, because a shared machine's speed drifts. A measure that
// cannot be taken here, or not to its end, says why and never counts as met.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/virtmatrix/virtmatrix/matrix"
)

// options are what the command line says.
type options struct {
	only              []string
	samples, restores int
}

// measure is one thing that is measured; it may give several rows.
type measure struct {
	name, about string
	// times is how many times -n samples it takes.
	times int
	// begin prepares what is to be sampled in turn, and says what the table shows.
	begin func(context.Context, *lab) ([]side, []row, error)
}

// soakLooks is how often, for each of -n, measure soak looks at what there is.
const soakLooks = 2

// measures are all there are, in the order in which they are taken: what warms
// the disk's cache for others comes first.
func measures() []measure {
	return []measure{
		{"boot", "cold boot of L1 until its agent serves, against plain qemu; 3 times -n samples, which vary much", 3, boot},
		{"restore", "a pristine host from a snapshot that is verified, against plain qemu -incoming", 1, restore},
		{"cell", "a restored host and OUTBOUND checks, against such a host and a script of virsh calls", 1, cell},
		{"image", "build of a userland image, against mmdebstrap and mksquashfs", 1, image},
		{"resolve", "the packages of a userland of RPMs found, against dnf itself", 1, resolve},
		{"rerun", "a run of the default profile that the cache answers, against cat of what it reads", 1, rerun},
		{"parallel", "the same cells 1, 2 and 4 side by side: time, memory, and is each answer a PASS at once?", 1, parallel},
		{"container", "OUTBOUND checks with a host and its end, a container against a cold nested one", 1, container},
		{"soak", "-restores hosts in a row, looked at twice -n times: what grows?", soakLooks, soak},
	}
}

func main() { os.Exit(execute(os.Args[1:])) }

// execute measures and returns the exit code.
func execute(args []string) int {
	// Debian leaves the folders of system programs out of users' PATH.
	os.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin:/sbin")
	o, err := parse(args, os.Stdout)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err == nil && os.Geteuid() != 0 {
		err = errors.New("cannot boot hosts: mount namespaces and package installation need root; run with sudo")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var all table
	if err == nil {
		all, err = take(ctx, o)
	}
	if err == nil {
		err = all.print(os.Stdout)
	}
	switch {
	case err != nil:
		fmt.Fprintf(os.Stderr, "bench: %v\n", err)
		return 2
	case !all.met():
		return 1
	}
	return 0
}

const usage = `usage: go run ./ci/bench [flags]

Measures what virtmatrix costs, each against plain tools that do the same work
without our code, sampled in turn (A B A B ...). A verdict needs 5 samples or more.
A turn that the machine spoilt, because a check ended in our own fault or a script
hung, is taken again, at most twice a measure, and the table says so. A measure that
does not end says why, shows the samples that it has, and counts as not met.

Boots emulated machines: leave the machine alone meanwhile. Needs root.
Exit code: 0 all targets met, 1 one is missed or could not be judged, 2 trouble.

Measures:
`

// parse reads the command line.
func parse(args []string, out io.Writer) (o options, err error) {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(out)
	var known []string
	for _, m := range measures() {
		known = append(known, m.name)
	}
	flags.Usage = func() {
		fmt.Fprint(out, usage)
		for _, m := range measures() {
			fmt.Fprintf(out, "  %-10s %s\n", m.name, m.about)
		}
		fmt.Fprint(out, "\nFlags:\n")
		flags.PrintDefaults()
	}
	only := flags.String("only", strings.Join(known, ","), "take only these `measures`, separated by commas")
	flags.IntVar(&o.samples, "n", 5, "take `N` samples of each")
	flags.IntVar(&o.restores, "restores", 500, "restore `N` hosts in measure soak")
	if err = flags.Parse(args); err != nil {
		return o, err
	}
	o.only = strings.Split(*only, ",")
	for _, name := range o.only {
		if !slices.Contains(known, name) {
			return o, matrix.Unknown("measure", name, known)
		}
	}
	if flags.NArg() > 0 || o.samples < 1 || o.restores < 1 {
		err = errors.New("cannot read command line: there are flags alone, and numbers of 1 or more")
	}
	return o, err
}

// take takes the measures one after another. What one of them stumbles over is in
// the table, below the samples that there are; the error is about all.
func take(ctx context.Context, o options) (all table, err error) {
	l, err := openLab(ctx, o)
	if err != nil {
		return all, err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	for _, m := range measures() {
		if !slices.Contains(o.only, m.name) {
			continue
		}
		l.measure = m.name
		sides, rows, err := m.begin(ctx, l)
		s := series{wanted: m.times * o.samples}
		if err == nil {
			err = s.take(ctx, sides, l.say)
		}
		all.add(m.name, s, rows, err)
	}
	all.machine = l.machine(context.WithoutCancel(ctx))
	return all, nil
}
