package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/virtmatrix/virtmatrix/internal/journal"
)

// TestMain makes this test binary the virtmatrix command of the scripts.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"virtmatrix": main})
}

// TestScripts runs the command as a user does: testdata/script tells what. No
// script needs the network or boots anything.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:  "testdata/script",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "chain": chain},
		Setup: func(e *testscript.Env) error {
			e.Setenv("VIRTMATRIX_HOME", filepath.Join(e.WorkDir, "home"))
			e.Setenv("VIRTMATRIX_RUNTIME", filepath.Join(e.WorkDir, "runtime"))
			// The machine's own Docker, if any, is no part of the test.
			e.Setenv("DOCKER_HOST", "unix://"+filepath.Join(e.WorkDir, "no-docker.sock"))
			e.Setenv("NO_COLOR", "1")
			return copySamples(filepath.Join(e.WorkDir, "runs"))
		},
	})
}

// exits runs a command that must end with the given exit code: "exits 2
// virtmatrix gate".
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND...")
	}
	err := ts.Exec(args[1], args[2:]...)
	got := 0
	var status *exec.ExitError
	if errors.As(err, &status) {
		got = status.ExitCode()
	} else if err != nil {
		ts.Fatalf("cannot run %s: %v", args[1], err)
	}
	if fmt.Sprint(got) != args[0] {
		ts.Fatalf("exit code %d, want %s", got, args[0])
	}
}

// chain makes a journal of records that were written by hand: "chain FILE".
func chain(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: chain FILE")
	}
	path := ts.MkAbs(args[0])
	text, err := os.ReadFile(path)
	ts.Check(err)
	var records []journal.Record
	for line := range bytes.Lines(text) {
		var r journal.Record
		ts.Check(json.Unmarshal(line, &r))
		if r.Cell != "" { // and not the end
			records = append(records, r)
		}
	}
	text, err = chained(records)
	ts.Check(err)
	ts.Check(os.WriteFile(path, text, 0o644))
}

// copySamples copies the stored runs and makes the one that holds the latest.
func copySamples(to string) error {
	if err := os.CopyFS(to, os.DirFS(samples)); err != nil {
		return err
	}
	names, err := fs.Glob(os.DirFS(samples), "*-hold")
	if err != nil {
		return err
	}
	return os.Symlink(names[0], filepath.Join(to, "latest"))
}
