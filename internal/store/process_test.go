package store

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// helperEnv makes the test binary play another process of the harness: its
// value is "build HOME" or "hang HOME".
const helperEnv = "STORE_TEST_HELPER"

func TestMain(m *testing.M) {
	what, home, ok := strings.Cut(os.Getenv(helperEnv), " ")
	if !ok {
		os.Exit(m.Run())
	}
	if err := helper(what, home); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func helper(what, home string) error {
	s, err := Open(home)
	if err != nil {
		return err
	}
	_, err = s.Ensure(context.Background(), testSpec(), func(ctx context.Context, dir string) error {
		if err := writeFiles(ctx, dir); err != nil {
			return err
		}
		fmt.Println("building")
		if what == "hang" {
			// Until the parent ends us or itself.
			_, err := io.Copy(io.Discard, os.Stdin)
			return err
		}
		return nil
	})
	return err
}

// start starts another process; lines are what it prints.
func start(t *testing.T, what, home string) (cmd *exec.Cmd, lines *bufio.Scanner) {
	t.Helper()
	cmd = exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), helperEnv+"="+what+" "+home)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close() })
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, bufio.NewScanner(out)
}

func TestABuildThatWasKilledLeavesNothingAfterTheNextStart(t *testing.T) {
	home := t.TempDir()
	builder, lines := start(t, "hang", home)
	if !lines.Scan() {
		t.Fatal("the builder did not start to build")
	}
	torn := inImages(t, home)
	if len(torn) != 1 || !strings.HasPrefix(torn[0], buildPrefix) {
		t.Fatalf("while building there is %q", torn)
	}
	// A start while the other process is at work leaves its build alone.
	open(t, home)
	if now := inImages(t, home); len(now) != 1 {
		t.Fatalf("another process's build was removed: %q", now)
	}
	if err := builder.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := builder.Wait(); err == nil {
		t.Fatal("the builder was not killed")
	}
	s := open(t, home)
	if left := inImages(t, home); len(left) > 0 {
		t.Errorf("%q was left behind", left)
	}
	if _, err := s.Ensure(t.Context(), testSpec(), writeFiles); err != nil {
		t.Error(err)
	}
}

func TestProcessesThatWantTheSameImageBuildItOnce(t *testing.T) {
	home := t.TempDir()
	var builds int
	var cmds []*exec.Cmd
	var outs []*bufio.Scanner
	for range 4 {
		cmd, lines := start(t, "build", home)
		cmds, outs = append(cmds, cmd), append(outs, lines)
	}
	for i, cmd := range cmds {
		for outs[i].Scan() {
			builds++
		}
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}
	if builds != 1 {
		t.Errorf("the image was built %d times", builds)
	}
	if _, err := os.Stat(filepath.Join(home, "images", testSpec().Name(), metaName)); err != nil {
		t.Error(err)
	}
}
