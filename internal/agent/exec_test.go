package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

func TestExecTellsHowACommandEnded(t *testing.T) {
	c := newClient(t)
	for _, tc := range []struct {
		command string
		want    Result
	}{
		{"true", Result{}},
		{"echo out; echo err >&2", Result{Stdout: []byte("out\n"), Stderr: []byte("err\n")}},
		{"exit 3", Result{Code: 3}},
		{"no-such-program 2>/dev/null", Result{Code: 127}},
		{"kill -9 $$", Result{Code: 137, Signal: "KILL"}},
		{"kill -SEGV $$", Result{Code: 139, Signal: "SEGV"}},
		{"pwd; echo $HOME $LANG", Result{Stdout: []byte("/\n/root C.UTF-8\n")}},
	} {
		got, err := c.Exec(within(t), tc.command, nil)
		if err != nil {
			t.Errorf("%s: %v", tc.command, err)
			continue
		}
		if string(got.Stdout) != string(tc.want.Stdout) || string(got.Stderr) != string(tc.want.Stderr) || got.Code != tc.want.Code || got.Signal != tc.want.Signal {
			t.Errorf("%s: %+v, want %+v", tc.command, got, tc.want)
		}
		if got.OK() != (tc.want.Code == 0) {
			t.Errorf("%s: OK = %v", tc.command, got.OK())
		}
	}
}

func TestExecPassesInputOn(t *testing.T) {
	c := newClient(t)
	long := strings.Repeat("0123456789abcdef", 1<<18) // more than a window of SSH
	got, err := c.Exec(within(t), "wc -c; read more || echo end", strings.NewReader(long))
	if err != nil || got.Text() != fmt.Sprintf("%d\nend", len(long)) {
		t.Errorf("%q, %v", got.Text(), err)
	}
}

func TestACommandNeedNotReadItsInput(t *testing.T) {
	c := newClient(t)
	long := strings.Repeat("x", 8<<20)
	for _, tc := range []struct {
		command string
		code    int
	}{{"true", 0}, {"exit 4", 4}, {"head -c 1 >/dev/null", 0}} {
		if got, err := c.Exec(within(t), tc.command, strings.NewReader(long)); err != nil || got.Code != tc.code {
			t.Errorf("%s: %+v, %v", tc.command, got, err)
		}
	}
}

func TestOutputIsLimitedAndCounted(t *testing.T) {
	c := newClient(t)
	const more = 1 << 20
	got, err := c.Exec(within(t), fmt.Sprintf("head -c %d /dev/zero; head -c 10 /dev/zero >&2", MaxOutput+more), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := got.Whole(); err == nil || !strings.Contains(got.Text(), err.Error()) {
		t.Errorf("of a part of the output it is said %v", err)
	}
	if len(got.Stdout) != MaxOutput || len(got.Stderr) != 10 || got.Dropped != more {
		t.Errorf("kept %d and %d bytes, dropped %d; want %d, 10, %d", len(got.Stdout), len(got.Stderr), got.Dropped, MaxOutput, more)
	}
}

func TestBothOutputsMayBeWrittenAtOnce(t *testing.T) {
	c := newClient(t)
	const lines = 2000
	for range 5 {
		got, err := c.Exec(within(t), fmt.Sprintf("(i=0; while test $i -lt %[1]d; do echo out; i=$((i+1)); done) & (i=0; while test $i -lt %[1]d; do echo err >&2; i=$((i+1)); done) & wait", lines), nil)
		if err != nil || strings.Count(string(got.Stdout), "out\n") != lines || strings.Count(string(got.Stderr), "err\n") != lines {
			t.Errorf("%d and %d bytes came, %v", len(got.Stdout), len(got.Stderr), err)
		}
	}
}

func TestCommandsRunSideBySide(t *testing.T) {
	c := newClient(t)
	gate := filepath.Join(t.TempDir(), "gate")
	first := make(chan error, 1)
	go func() {
		_, err := c.Exec(within(t), "until test -e "+gate+"; do sleep 0.01; done", nil)
		first <- err
	}()
	if _, err := c.Exec(within(t), "touch "+gate, nil); err != nil {
		t.Fatal(err)
	}
	if err := <-first; err != nil {
		t.Fatal(err)
	}
}

// running reads the process numbers that a command wrote, once they are there.
func running(t *testing.T, file string, n int) (pids []int) {
	t.Helper()
	eventually(t, "the command tells its processes", func() bool {
		b, _ := os.ReadFile(file)
		pids = nil
		for _, w := range strings.Fields(string(b)) {
			pid, err := strconv.Atoi(w)
			if err != nil {
				t.Fatalf("%q is no process number", w)
			}
			pids = append(pids, pid)
		}
		return len(pids) == n
	})
	return pids
}

func TestTheEndOfTheContextKillsTheWholeGroup(t *testing.T) {
	c := newClient(t)
	file := filepath.Join(t.TempDir(), "pids")
	cause := errors.New("the check was called off")
	ctx, cancel := context.WithCancelCause(within(t))
	done := make(chan error, 1)
	go func() {
		_, err := c.Exec(ctx, "sleep 600 & (sleep 600 & echo $$ $! >>"+file+"; wait) & echo $! >>"+file+"; wait", nil)
		done <- err
	}()
	pids := running(t, file, 3)
	cancel(cause)
	if err := <-done; !errors.Is(err, cause) || !strings.HasPrefix(err.Error(), `cannot run "sleep`) {
		t.Errorf("Exec = %v, want why it was called off", err)
	}
	for _, pid := range pids {
		eventually(t, fmt.Sprintf("process %d ends", pid), func() bool { return !alive(pid) })
	}
}

func TestTheEndOfTheSessionKillsItsCommands(t *testing.T) {
	port := startAgent(t)
	c := connect(t, port.plug(t))
	file := filepath.Join(t.TempDir(), "pids")
	done := make(chan error, 1)
	go func() {
		_, err := c.Exec(within(t), "echo $$ >"+file+"; sleep 600", nil)
		done <- err
	}()
	pids := running(t, file, 1)
	c.Close()
	if err := <-done; err == nil {
		t.Error("Exec outlived its connection without an error")
	}
	eventually(t, "the command ends", func() bool { return !alive(pids[0]) })
}

// alive is false for zombies: nobody reaps orphans where this test runs.
func alive(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	return !strings.HasPrefix(rest, "Z") && syscall.Kill(pid, 0) == nil
}

func TestExecReturnsWhenTheAgentNoLongerAnswers(t *testing.T) {
	conn, agentEnd := hangingAgent(t)
	c := connect(t, conn)
	agentEnd.hang()
	ctx, cancel := context.WithCancel(within(t))
	cancel()
	if _, err := c.Exec(ctx, "true", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("Exec = %v", err)
	}
	if _, err := c.DialUnix(ctx, "/x"); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "does not answer") {
		t.Errorf("DialUnix = %v", err)
	}
	if _, err := c.OpenTTY(ctx, "/x"); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "does not answer") {
		t.Errorf("OpenTTY = %v", err)
	}
}
