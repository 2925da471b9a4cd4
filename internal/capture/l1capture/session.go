package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/qmp"
)

// What introspection does to an emulator besides answering.
var (
	errHung = errors.New("hung")
	errDied = errors.New("died")
)

// session is a QMP session with an emulator that may hang or die of what it is asked:
// then the next question starts another.
type session struct {
	program string
	args    []string
	// busy is how much of a processor's time an answer may take, and patience how long
	// in all: a starved emulator does not hang.
	busy, patience time.Duration

	conn *qmp.Conn
	cmd  *exec.Cmd
}

// newSession prepares a session with an emulator that makes no guest run.
func newSession(program string, args ...string) *session {
	args = append([]string{"-S", "-nodefaults", "-no-user-config", "-display", "none", "-qmp", "stdio"}, args...)
	return &session{program: program, args: args, busy: 20 * time.Second, patience: 5 * time.Minute}
}

// pipes are both ends of a program as one stream.
type pipes struct {
	io.ReadCloser
	in io.WriteCloser
}

func (p pipes) Write(b []byte) (int, error) { return p.in.Write(b) }
func (p pipes) Close() error                { return errors.Join(p.in.Close(), p.ReadCloser.Close()) }

func (s *session) start() error {
	s.cmd = exec.Command(s.program, s.args...)
	var said strings.Builder
	s.cmd.Stderr = &said
	in, err := s.cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := s.cmd.Start(); err != nil {
		return fmt.Errorf("cannot start %s: %w", s.program, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), s.patience)
	defer cancel()
	if s.conn, err = qmp.New(ctx, pipes{out, in}, qmp.Options{}); err != nil {
		s.end()
		return fmt.Errorf("cannot ask %s %s: %w: %s", s.program, strings.Join(s.args, " "), err, strings.TrimSpace(said.String()))
	}
	return nil
}

// end ends the emulator, whatever it is at.
func (s *session) end() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill() // it may have ended by itself
	if s.conn != nil {
		_ = s.conn.Close()
	}
	_ = s.cmd.Wait()
	s.conn, s.cmd = nil, nil
}

// ask asks the emulator. The error is a *qmp.Error when it refuses, errHung or errDied
// when it does not answer, and otherwise ours.
func (s *session) ask(command string, args, reply any) error {
	if s.conn == nil {
		if err := s.start(); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeoutCause(context.Background(), s.patience, errHung)
	defer cancel()
	ctx, hang := context.WithCancelCause(ctx)
	defer hang(nil)
	go s.watch(ctx, hang, s.cmd.Process.Pid, processorTime(s.cmd.Process.Pid))
	err := s.conn.Do(ctx, command, args, reply)
	switch {
	case errors.Is(context.Cause(ctx), errHung):
		err = errHung
	case errors.Is(err, qmp.ErrGone):
		err = errDied
	default:
		return err
	}
	s.end()
	return err
}

// watch calls an emulator hung that computes for too long.
func (s *session) watch(ctx context.Context, hang context.CancelCauseFunc, pid int, before time.Duration) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if processorTime(pid)-before > s.busy {
				hang(errHung)
				return
			}
		}
	}
}

// processorTime is what a process has computed so far: fields 14 and 15 of proc_pid_stat(5),
// in ticks of a hundredth of a second.
func processorTime(pid int) time.Duration {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)) // nothing of one that is gone
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0
	}
	var user, system time.Duration
	_, _ = fmt.Sscan(fields[11]+" "+fields[12], &user, &system)
	return (user + system) * 10 * time.Millisecond
}
