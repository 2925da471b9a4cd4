package snapshot

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// helperEnv makes the test binary play another process of the harness: its
// value is "wait DIR" or "die DIR".
const helperEnv = "SNAPSHOT_TEST_HELPER"

func TestMain(m *testing.M) {
	what, dir, ok := strings.Cut(os.Getenv(helperEnv), " ")
	if !ok {
		os.Exit(m.Run())
	}
	_, err := testStore(dir).Make(subject, func(d *Draft) error {
		if err := write(d); err != nil {
			return err
		}
		if what == "die" {
			return syscall.Kill(os.Getpid(), syscall.SIGKILL)
		}
		fmt.Println("written")
		_, err := io.Copy(io.Discard, os.Stdin)
		return err
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func helper(what string, s *Store) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), helperEnv+"="+what+" "+s.dir)
	cmd.Stderr = os.Stderr
	return cmd
}

func TestAKillBetweenWritingAndRenamingLeavesNoSnapshot(t *testing.T) {
	s := testStore(t.TempDir())
	if err := helper("die", s).Run(); err == nil {
		t.Fatal("the writer was not killed")
	}
	leaves(t, s, draftPrefix+subject.Name())
	if _, err := s.Find(subject); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Find = %v", err)
	}
	if ok, err := s.Make(other, write); !ok || err != nil {
		t.Errorf("Make = %v, %v", ok, err)
	}
	leaves(t, s, other.Name()) // what was left is swept by whoever is next
}

func TestAnotherProcessThatMakesItIsNotWaitedFor(t *testing.T) {
	s := testStore(t.TempDir())
	cmd := helper("wait", s)
	in, err := cmd.StdinPipe()
	check(t, err)
	out, err := cmd.StdoutPipe()
	check(t, err)
	check(t, cmd.Start())
	if !bufio.NewScanner(out).Scan() {
		t.Fatal("the other process writes nothing")
	}
	ok, err := s.Make(subject, func(*Draft) error { t.Error("it is written twice"); return nil })
	if ok || err != nil {
		t.Errorf("Make = %v, %v", ok, err)
	}
	if err := s.Remove(subject.Name()); err == nil {
		t.Error("one that is being made was removed")
	}
	if _, err := s.Find(subject); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("half a snapshot is found: %v", err)
	}
	in.Close()
	check(t, cmd.Wait())
	check(t, use(s, subject))
}
