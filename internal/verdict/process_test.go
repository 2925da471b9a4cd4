package verdict

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/rundir"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// helperEnv makes the test binary play another process: its value is "put DIR" or
// "hang DIR".
const helperEnv = "VERDICT_TEST_HELPER"

func TestMain(m *testing.M) {
	what, dir, ok := strings.Cut(os.Getenv(helperEnv), " ")
	if !ok {
		os.Exit(m.Run())
	}
	if err := helper(what, dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// puts is how often a helper writes its entry.
const puts = 100

func helper(what, dir string) error {
	s := In(dir)
	if what == "put" {
		for range puts {
			if err := s.Put(testQuestion(), testRecord(matrix.Pass), ""); err != nil {
				return err
			}
		}
		return nil
	}
	// As Put does it, up to where the entry would get its name.
	key, err := testQuestion().Key()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(s.path(key)), 0o755); err != nil {
		return err
	}
	return rundir.Replace(s.path(key), func(f *os.File) error {
		_, err := f.WriteString(`{"sha256":`)
		fmt.Println("writing")
		_, _ = io.Copy(io.Discard, os.Stdin) // until the parent ends us
		return err
	})
}

func start(t *testing.T, what, dir string) (cmd *exec.Cmd, lines *bufio.Scanner) {
	t.Helper()
	cmd = exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), helperEnv+"="+what+" "+dir)
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

func TestProcessesThatKeepTheSameAnswerAtOnceNeverTearIt(t *testing.T) {
	dir := t.TempDir()
	s := In(dir)
	if err := s.Put(testQuestion(), testRecord(matrix.Pass), ""); err != nil {
		t.Fatal(err)
	}
	one, _ := start(t, "put", dir)
	other, _ := start(t, "put", dir)
	for range puts {
		if _, _, err := s.Get(testQuestion()); err != nil {
			t.Fatal(err)
		}
	}
	for _, cmd := range []*exec.Cmd{one, other} {
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}
	if all, err := s.List(); err != nil || len(all) != 1 || all[0].Torn {
		t.Errorf("there is %+v, %v", all, err)
	}
}

func TestAKillBeforeTheEntryHasItsNameLeavesTheOldAnswer(t *testing.T) {
	dir := t.TempDir()
	s := In(dir)
	if err := s.Put(testQuestion(), testRecord(matrix.Pass), ""); err != nil {
		t.Fatal(err)
	}
	writer, lines := start(t, "hang", dir)
	if !lines.Scan() {
		t.Fatal("the writer did not begin")
	}
	if err := writer.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := writer.Wait(); err == nil {
		t.Fatal("the writer was not killed")
	}
	if _, _, err := s.Get(testQuestion()); err != nil {
		t.Errorf("Get = %v", err)
	}
	left, err := filepath.Glob(filepath.Join(dir, "*", ".new-*"))
	if err != nil || len(left) != 1 {
		t.Fatalf("the kill left %q, %v", left, err)
	}
	// Young, it may be somebody's who is at work.
	if all, err := s.List(); err != nil || len(all) != 1 {
		t.Errorf("there is %+v, %v", all, err)
	}
	old := time.Now().Add(-2 * tornAfter)
	if err := os.Chtimes(left[0], old, old); err != nil {
		t.Fatal(err)
	}
	all, err := s.List()
	if err != nil || len(all) != 2 || all[0].Torn == all[1].Torn {
		t.Errorf("there is %+v, %v; want the answer, and what the kill left", all, err)
	}
}
