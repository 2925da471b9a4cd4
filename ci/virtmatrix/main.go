// Command virtmatrix tells what stops working when a virtualization stack's
// components move, and whether they may be released: it plans cells and checks,
// builds the images, runs the suites, and judges.
//
// It is built without cgo, so that `virtmatrix doctor` can tell on a bare
// machine what is missing.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/virtmatrix/virtmatrix/internal/run"
	"github.com/virtmatrix/virtmatrix/internal/rundir"
	"github.com/virtmatrix/virtmatrix/internal/source/apt"
	"github.com/virtmatrix/virtmatrix/internal/store"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// exitTrouble is the exit code for bad usage and for trouble that is not the
// product's.
const exitTrouble = 2

// app is what the verbs share.
type app struct {
	globals
	// ctx ends at the first ^C.
	ctx context.Context
	// stdout takes results, stderr what is being done. Both may be terminals.
	stdout, stderr *os.File
	// cat is the catalogue where that is not to be read; nil otherwise.
	cat *matrix.Catalog
}

// globals are the flags of all verbs.
type globals struct {
	Home    string `env:"${homeEnv}" default:"${home}" placeholder:"DIR" group:"all" help:"The cache of packages and images (${default})."`
	Matrix  string `env:"${matrixEnv}" placeholder:"DIR" group:"all" help:"Read the catalogue (releases.yaml, components.yaml, axes.yaml, constraints.yaml, profiles.yaml and what they include) from here, not the built-in one."`
	Mirror  string `env:"${mirrorEnv}" placeholder:"URL" group:"all" help:"The package mirror, in place of the one in the machine's apt sources."`
	Fresh   bool   `group:"all" help:"Ask again what is known: the mirror, even when its lists were fetched lately, and each check, even when its answer is in the cache."`
	Runs    string `env:"VIRTMATRIX_RUNS" default:"${runs}" placeholder:"DIR" group:"all" help:"The folder of all runs (${default})."`
	Source  string `placeholder:"DIR" group:"all" help:"The checkout of virtmatrix whose suites run (the one around the working directory)."`
	Runtime string `env:"${runtimeEnv}" default:"${runtime}" hidden:""`
	Verbose bool   `short:"v" group:"all" help:"Tell everything, one line each."`
}

type commandLine struct {
	globals

	Doctor   doctorVerb    `cmd:"" help:"What this machine can do, and how to fix what it cannot."`
	Plan     planVerb      `cmd:"" help:"Freeze what a run must answer: cells, checks, exact packages."`
	Build    buildVerb     `cmd:"" help:"Make the images that a plan needs."`
	Run      runVerb       `cmd:"" help:"Plan, build, run the checks, judge."`
	Merge    mergeVerb     `cmd:"" help:"Make one run of the runs of all shards of a plan, and judge it."`
	Report   reportVerb    `cmd:"" help:"Show a stored run again."`
	Gate     gateVerb      `cmd:"" help:"May it be released? Exit 0 ship, 1 hold, 2 could not judge."`
	Lint     lintVerb      `cmd:"" help:"What is wrong with policy, known issues and waivers."`
	Why      whyVerb       `cmd:"" help:"Everything known about a cell or a check, in words."`
	Localise localiseVerb  `cmd:"" help:"Ask the cells that narrow down what failing ones have in common."`
	Blame    blameVerb     `cmd:"" help:"Which part of a stack makes a check fail: by reverting one at a time."`
	Repro    reproVerb     `cmd:"" help:"Run one check on one cell again, keeping everything."`
	Shell    shellVerb     `cmd:"" help:"A prompt in a cell's host, composed as a run composes it."`
	List     listVerb      `cmd:"" help:"The names that can be selected."`
	Selftest selftestVerb  `cmd:"" help:"Does each check see what it exists to see?"`
	Checks   checksVerb    `cmd:"" help:"What each check asserts, requires and depends on."`
	Diff     diffVerb      `cmd:"" help:"What is worse than before: two runs, or a change and its baseline."`
	Baseline baselineVerb  `cmd:"" help:"Runs that are stored by name, to hold others against."`
	Differ   diffImageVerb `cmd:"" name:"diff-image" help:"What of one image users miss in another, before anything boots."`
	Image    imageVerb     `cmd:"" help:"Is a cloud image fit to be published? By the written baseline, without running anything of it unless asked to."`
	Packages packagesVerb  `cmd:"" help:"Package by package what differs between cells or runs, with changelogs."`
	GC       gcVerb        `cmd:"" name:"gc" help:"Remove what killed runs left; the cache's size, and what may go."`
}

// exit is an error that ends the command with a code and without a word more.
type exit int

// Error returns the code in words.
func (e exit) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

func main() { os.Exit(execute(os.Args[1:])) }

// run runs the command and returns its exit code.
func execute(args []string) int {
	// Debian leaves the folders of system programs out of users' PATH.
	if err := os.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin:/sbin"); err != nil {
		return complain(os.Stderr, err)
	}
	var line commandLine
	parser, err := line.parser()
	if err != nil {
		return complain(os.Stderr, err)
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	k, err := parser.Parse(dashes(args))
	if err != nil {
		return complain(os.Stderr, fmt.Errorf("%w; see virtmatrix --help", usage(parser, args, err)))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err = k.Run(&app{globals: line.globals, ctx: ctx, stdout: os.Stdout, stderr: os.Stderr})
	return complain(os.Stderr, err)
}

// parser reads a command line into it.
func (line *commandLine) parser() (*kong.Kong, error) {
	return kong.New(line,
		kong.Name("virtmatrix"),
		kong.Description("A compatibility matrix for virtualization stacks: what stops working when kernel, qemu, Xen or libvirt move?\n\n"+
			"RUN is the path or name of a run and may be left out for the latest. Cells and checks are selected by their names or parts of them: libvirt-9.0, O-SAVE, 'linux-6*'."),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.ExplicitGroups([]kong.Group{{Key: "all", Title: "Flags of all commands:"}}),
		kong.Vars{
			"homeEnv": store.HomeEnv, "home": store.DefaultHome, "runs": rundir.Default, "profile": matrix.DefaultProfile, "changeProfile": matrix.ChangeProfile,
			"matrixEnv": run.MatrixEnv, "mirrorEnv": apt.MirrorEnv,
			"runtimeEnv": run.RuntimeEnv, "runtime": run.DefaultRuntime,
		})
}

// usage names the nearest verb when there is none of the name that was given.
func usage(parser *kong.Kong, args []string, err error) error {
	var verbs []string
	for _, node := range parser.Model.Children {
		verbs = append(verbs, node.Name)
	}
	if strings.HasPrefix(args[0], "-") || slices.Contains(verbs, args[0]) {
		return err
	}
	return matrix.Unknown("command", args[0], verbs)
}

// complain prints an error and returns the exit code it stands for.
func complain(w io.Writer, err error) int {
	var code exit
	switch {
	case err == nil:
		return 0
	case errors.As(err, &code):
		return int(code)
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(w, "virtmatrix: stopped")
		return exitTrouble
	}
	fmt.Fprintf(w, "virtmatrix: %v\n", err)
	return exitTrouble
}

// dashes lets long flags have one dash, as those of Go's own commands.
func dashes(args []string) []string {
	out := make([]string, 0, len(args))
	for i, a := range args {
		if a == "--" {
			return append(out, args[i:]...)
		}
		if len(a) > 2 && a[0] == '-' && (a[1] >= 'a' && a[1] <= 'z') && a[2] != '=' && !strings.HasPrefix(a, "--") {
			a = "-" + a
		}
		out = append(out, a)
	}
	return out
}

// catalog reads the catalogue.
func (a *app) catalog() (*matrix.Catalog, error) {
	if a.cat != nil {
		return a.cat, nil
	}
	cat, err := run.Catalog(a.Matrix, a.Home)
	if err != nil {
		return nil, fmt.Errorf("cannot use catalogue %s: %w", a.Matrix, err)
	}
	return cat, nil
}
