package tool

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// helperEnv makes the test binary play a harness that runs a long program.
const helperEnv = "TOOL_TEST_HELPER"

func TestMain(m *testing.M) {
	if os.Getenv(helperEnv) == "" {
		os.Exit(m.Run())
	}
	_, _, err := Run(context.Background(), Command{
		Argv: []string{"sh", "-c", "echo $$; exec sleep 1000"}, Stdout: os.Stdout,
	})
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func TestRunReturnsWhatTheProgramPrints(t *testing.T) {
	out, errs, err := Run(t.Context(), Command{Argv: []string{"sh", "-c", "cat; echo e$X >&2"}, Stdin: strings.NewReader("o"), Env: []string{"X=1"}})
	if err != nil || string(out) != "o" || string(errs) != "e1\n" {
		t.Errorf("Run = %q, %q, %v", out, errs, err)
	}
}

func TestAFailureHoldsWhatTheProgramSaid(t *testing.T) {
	var log strings.Builder
	_, _, err := Run(t.Context(), Command{Argv: []string{"sh", "-c", "echo no such suite >&2; exit 3"}, Log: &log})
	var exit *ExitError
	if !errors.As(err, &exit) || exit.Output != "no such suite" {
		t.Fatalf("the error is %#v", err)
	}
	var code *exec.ExitError
	if !errors.As(err, &code) || code.ExitCode() != 3 {
		t.Errorf("the exit code is lost in %v", err)
	}
	if log.String() != "no such suite\n" {
		t.Errorf("the log holds %q", log.String())
	}
}

func TestTheEndOfTheContextEndsTheWholeGroup(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	go func() {
		// The grandchild says when it is there, and holds the pipe until it is gone.
		if _, err := r.Read(make([]byte, 1)); err != nil {
			t.Error(err)
		}
		cancel()
	}()
	_, _, err = Run(ctx, Command{Argv: []string{"sh", "-c", "(echo; exec sleep 1000) & wait"}, Stdout: w})
	w.Close()
	if !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v, want canceled", err)
	}
	if n, err := r.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("read %d bytes, %v from a program that should be gone", n, err)
	}
}

func TestNoProgramOutlivesAHarnessThatIsKilled(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), helperEnv+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var pid int
	if _, err := fmt.Fscan(out, &pid); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	// A pidfd is readable once its process has ended.
	n, err := -1, error(unix.EINTR)
	for err == unix.EINTR { // the runtime's own signals interrupt a poll
		n, err = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 10_000)
	}
	if err != nil || n != 1 {
		t.Errorf("the program still runs: poll = %d, %v", n, err)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("the harness was not killed")
	}
}

func TestMissingToolsAreNamedWithTheirPackages(t *testing.T) {
	err := Require([]Tool{{"sh", "dash"}, {"no-such-tool", "a"}, {"/no/such/file", "b"}, {"nor-this", "a"}})
	want := "missing no-such-tool, /no/such/file, nor-this; install with: apt-get install a b"
	if err == nil || err.Error() != want {
		t.Errorf("the error is %v, want %s", err, want)
	}
	if err := Require([]Tool{{"sh", "dash"}}); err != nil {
		t.Errorf("sh is missing: %v", err)
	}
}
