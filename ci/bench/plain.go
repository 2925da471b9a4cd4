package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/internal/owner"
)

// command is how one of our hosts was started, as /proc tells of it.
type command struct {
	argv []string
	// sockets, files and logs are the host's folders that it names.
	sockets, files, logs string
}

// commandOf reads the command line of a host that this process started.
func commandOf(vm *host.VM) (command, error) {
	for _, p := range descendants(os.Getpid()) {
		if p.isHost() && strings.Contains(strings.Join(p.argv, " "), vm.LogDir()+"/") {
			return parseCommand(p.argv, vm.LogDir())
		}
	}
	return command{}, errors.New("cannot find the emulator of the host among the processes")
}

func parseCommand(argv []string, logs string) (command, error) {
	c := command{argv: argv, logs: logs}
	for i, arg := range argv[1:] {
		switch argv[i] {
		case "-qmp":
			path, _, _ := strings.Cut(strings.TrimPrefix(arg, "unix:"), ",")
			c.sockets = filepath.Dir(path)
		case "-initrd":
			c.files = filepath.Dir(arg)
		}
	}
	if c.sockets == "" || c.files == "" {
		return c, fmt.Errorf("cannot read the emulator's command line: %q", argv)
	}
	return c, nil
}

// without drops an argument and the values that follow it.
func (c command) without(arg string, values int) command {
	for i := range c.argv {
		if c.argv[i] == arg {
			rest := c.argv[min(i+1+values, len(c.argv)):]
			c.argv = append(append([]string(nil), c.argv[:i]...), rest...)
			return c
		}
	}
	return c
}

// in is the same command for a host whose files are all in one folder.
func (c command) in(dir string) command {
	argv := make([]string, len(c.argv))
	places := strings.NewReplacer(c.sockets+"/", dir+"/", c.files+"/", dir+"/", c.logs+"/", dir+"/")
	for i, arg := range c.argv {
		argv[i] = places.Replace(arg)
	}
	return command{argv: argv, sockets: dir, files: dir, logs: dir}
}

// mapping is the same command with another file as the host's memory; an empty
// path makes it anonymous memory, which is what qemu takes by itself.
func (c command) mapping(path string) command {
	argv := slices.Clone(c.argv)
	for i, arg := range argv {
		options, ok := strings.CutPrefix(arg, "memory-backend-file,")
		if !ok {
			continue
		}
		before, rest, _ := strings.Cut(options, "mem-path=")
		_, after, _ := strings.Cut(rest, ",")
		argv[i] = "memory-backend-file," + before + "mem-path=" + path + "," + after
		if path == "" {
			argv[i] = "memory-backend-ram," + strings.TrimSuffix(before, ",")
		}
	}
	c.argv = argv
	return c
}

// emulator is qemu alone: a shell in a mount namespace with the emulator's /usr
// that turns into it at a word.
type emulator struct {
	proc  *owner.Process
	word  *os.File
	began time.Time
}

// waiting mounts the emulator's /usr, says that it is there by opening the pipe,
// and becomes the emulator when the pipe is written to. The shell needs nothing of
// /usr any more by then.
const waiting = `if [ -n "$1" ]; then mount -t squashfs -o ro,loop "$1" /usr; fi
pipe=$2; state=$3; shift 3
read -r go <"$pipe"; exec 3<"$state" "$@"`

// arm prepares to start the emulator. state becomes its file descriptor 3.
func arm(argv []string, usr, dir, state string) (*emulator, error) {
	pipe := filepath.Join(dir, "pipe")
	if out, err := exec.Command("mkfifo", pipe).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("cannot make pipe: %w: %s", err, bytes.TrimSpace(out))
	}
	log, err := os.Create(filepath.Join(dir, host.EmulatorFile))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	shell := append([]string{"unshare", "--mount", "sh", "-e", "-c", waiting, "sh", usr, pipe, state}, argv...)
	// Guarded, so that it ends with us. The guard only waits.
	proc, err := owner.Start(owner.Options{Argv: shell, Output: log})
	if err != nil {
		return nil, err
	}
	opened := make(chan error, 1)
	e := &emulator{proc: proc}
	go func() {
		var err error
		e.word, err = os.OpenFile(pipe, os.O_WRONLY, 0) // until the shell reads it
		opened <- err
	}()
	select {
	case err = <-opened:
	case <-proc.Done():
		// The other end lets the opener go.
		if f, err := os.OpenFile(pipe, os.O_RDWR, 0); err == nil {
			<-opened
			f.Close()
		}
		err = errors.New("it ended")
	}
	if err != nil {
		proc.Kill()
		return nil, fmt.Errorf("cannot prepare plain qemu: %w; see %s", err, log.Name())
	}
	return e, nil
}

// start lets it begin.
func (e *emulator) start() error {
	e.began = time.Now()
	_, err := e.word.WriteString("go\n")
	return err
}

func (e *emulator) stop() {
	e.word.Close()
	e.proc.Kill()
}

// lookAgain is how often a console or a monitor is asked: often enough to weigh
// nothing, seldom enough to cost nothing.
const lookAgain = 2 * time.Millisecond

// awaitLine waits until a file has the text.
func awaitLine(ctx context.Context, path, text string) error {
	var f *os.File
	defer func() {
		if f != nil {
			f.Close()
		}
	}()
	var seen []byte
	return until(ctx, fmt.Sprintf("%s says %q", path, text), func() (bool, error) {
		if f == nil {
			opened, err := os.Open(path)
			if errors.Is(err, os.ErrNotExist) {
				return false, nil
			}
			if err != nil {
				return false, err
			}
			f = opened
		}
		more, err := io.ReadAll(f)
		seen = append(seen, more...)
		return bytes.Contains(seen, []byte(text)), err
	})
}

// running gives the emulator behind a QMP socket some commands, and waits until it
// says that its guest runs.
func running(ctx context.Context, socket string, commands ...string) error {
	var conn net.Conn
	err := until(ctx, socket+" is there", func() (bool, error) {
		var err error
		conn, err = net.Dial("unix", socket)
		return err == nil, nil
	})
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	m := monitor{conn, json.NewDecoder(conn)}
	for _, command := range append([]string{`{"execute": "qmp_capabilities"}`}, commands...) {
		if _, err := m.ask(command); err != nil {
			return err
		}
	}
	return until(ctx, "the guest runs", func() (bool, error) {
		status, err := m.ask(`{"execute": "query-status"}`)
		if err == nil && status == "paused" {
			// It was, when it was saved, and so it is when it has been loaded.
			_, err = m.ask(`{"execute": "cont"}`)
		}
		return status == "running", err
	})
}

// monitor is as much of QMP as it takes to let a guest run.
type monitor struct {
	io.Writer
	*json.Decoder
}

// ask gives a command and returns the status in its answer, if that has one.
func (m monitor) ask(command string) (status string, err error) {
	if _, err := io.WriteString(m, command); err != nil {
		return "", err
	}
	for {
		var answer struct {
			Return *struct{ Status string }
			Error  *struct{ Desc string }
		}
		if err := m.Decode(&answer); err != nil {
			return "", err
		}
		switch {
		case answer.Error != nil:
			return "", fmt.Errorf("cannot do %s: %s", command, answer.Error.Desc)
		case answer.Return != nil:
			return answer.Return.Status, nil
		}
	}
}

// patience bounds what is waited for; nothing here should take as long.
const patience = 3 * time.Minute

func until(ctx context.Context, what string, holds func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		ok, err := holds()
		if ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("cannot wait until %s: %w", what, ctx.Err())
		case <-time.After(lookAgain):
		}
	}
}
