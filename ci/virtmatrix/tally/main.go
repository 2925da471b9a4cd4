// Command tally runs the project's own tests: format, vet and the unit tests,
// which boot nothing, and then the real cells that each command after "--" runs. With
// -real it runs the tests on real machines and nothing else.
// Its last line is "N passed, N failed", the checks of the cells included. In CI,
// and with -real, a test that is skipped is one that failed.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/virtmatrix/virtmatrix/internal/rundir"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/reports"
)

func main() {
	real := flag.Bool("real", false, "run the tests that boot machines and containers")
	runs := flag.String("runs", rundir.Default, "the folder in which the command after -- leaves its run")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: tally [-real | [-runs DIR] [-- bin/virtmatrix run -profile ci]...]")
		flag.PrintDefaults()
	}
	flag.Parse()
	var sum count
	if *real {
		// One package after another: machines that boot at once starve each other.
		sum = tests(true, "-p=1", "-count=1", "-timeout=3h", "-run=^TestReal", "./...")
	} else {
		sum = silent("format", "gofmt", "-l", ".").plus(silent("vet", "go", "vet", "./..."))
		// Without root what mounts is skipped, and rightly.
		all := os.Getenv("CI") != "" && os.Geteuid() == 0
		sum = sum.plus(tests(all, "-race", "-short", "-timeout=30m", "./..."))
	}
	for _, command := range commands(flag.Args()) {
		sum = sum.plus(cells(*runs, command))
	}
	fmt.Printf("%d passed, %d failed\n", sum.passed, sum.failed)
	if sum.failed > 0 || sum.passed == 0 {
		os.Exit(1)
	}
}

// count is how many tests and checks ended how.
type count struct{ passed, failed int }

func (c count) plus(d count) count { return count{c.passed + d.passed, c.failed + d.failed} }

// silent runs a program that prints nothing when all is well. What it says on
// its standard error may be news only: go tells of each module it downloads.
func silent(name string, argv ...string) count {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err == nil && len(out) == 0 {
		fmt.Printf("ok   %s\n", name)
		return count{passed: 1}
	}
	fmt.Printf("%sFAIL %s (%s)\n", out, name, strings.Join(argv, " "))
	return count{failed: 1}
}

// tests runs go test. That it could not be run is a failure too, and so is a
// test that is skipped if all must run.
func tests(all bool, args ...string) count {
	return listen(all, append([]string{"go", "test", "-json"}, args...)...)
}

func listen(all bool, argv ...string) count {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "tally: cannot run tests:", err)
		return count{failed: 1}
	}
	sum := watch(out, os.Stdout, all)
	if err := cmd.Wait(); err != nil && sum.failed == 0 {
		fmt.Fprintln(os.Stderr, "tally: the tests did not end well:", err)
		sum.failed++
	}
	return sum
}

// commands are those that "--" separates.
func commands(args []string) (all [][]string) {
	for len(args) > 0 {
		n := slices.Index(args, "--")
		if n < 0 {
			return append(all, args)
		}
		all, args = append(all, args[:n]), args[n+1:]
	}
	return all
}

// cells runs the command and counts the checks of the run that it left.
func cells(runs string, argv []string) count {
	latest := filepath.Join(runs, rundir.Latest)
	before, _ := os.Readlink(latest)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	err := cmd.Run()
	after, linkErr := os.Readlink(latest)
	if linkErr == nil && after == before {
		linkErr = errors.New("it is that of an earlier run")
	}
	if linkErr != nil {
		fmt.Fprintln(os.Stderr, "tally: the command left no run:", linkErr)
		return count{failed: 1}
	}
	m, readErr := reports.ReadMatrix(filepath.Join(latest, "matrix.json"))
	if readErr != nil {
		fmt.Fprintln(os.Stderr, "tally:", readErr)
		return count{failed: 1}
	}
	sum := verdicts(m)
	if err != nil && sum.failed == 0 {
		fmt.Fprintln(os.Stderr, "tally: the gate does not ship:", err)
		sum.failed++
	}
	return sum
}

// verdicts counts the results of a matrix, each answer once. What does not apply is
// neither passed nor failed, and everything without a good answer is a failure.
func verdicts(m *reports.Matrix) count {
	var c count
	for i := range m.Results {
		if m.Results[i].AskedIn != "" {
			continue
		}
		switch m.Results[i].Verdict {
		case matrix.Pass, matrix.Known:
			c.passed++
		case matrix.Unsupported:
		default:
			c.failed++
		}
	}
	return c
}
