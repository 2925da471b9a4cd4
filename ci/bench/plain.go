package main

import (
	"bufio"
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/internal/qmp"
)

// scripts do with plain tools what we do.
//
//go:embed plain
var scripts embed.FS

func script(name string) string {
	text, err := scripts.ReadFile("plain/" + name)
	if err != nil {
		panic(err) // it is built in
	}
	return string(text)
}

// alone runs a script that says when it is ready and goes on at a word, and measures
// how long it then takes until it is up; nil waits for its end.
func alone(ctx context.Context, up func() error, name string, args ...string) (figures, error) {
	cmd := exec.CommandContext(ctx, "sh", append([]string{"-c", script(name), name}, args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	var said bytes.Buffer
	cmd.Stderr = &said
	word, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	ready, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	_, err = bufio.NewReader(ready).ReadString('\n')
	began := time.Now()
	if err == nil {
		_, err = io.WriteString(word, "go\n")
	}
	if err == nil && up != nil {
		err = up()
	}
	took := time.Since(began)
	if up != nil {
		_ = cmd.Process.Kill()
	}
	if ended := cmd.Wait(); up == nil {
		took, err = time.Since(began), errors.Join(err, ended)
	}
	if err != nil {
		err = fmt.Errorf("%s: %w; it says %.2000q", name, err, said.String())
	}
	return figures{"time": took.Seconds()}, err
}

// command runs a plain tool that must succeed.
func command(ctx context.Context, argv ...string) error {
	out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("cannot run %s: %w: %s", argv[0], err, out[max(0, len(out)-2000):])
	}
	return nil
}

// runs lets the guest behind a QMP socket go on, which was stopped when it was saved,
// as soon as it has been loaded.
func runs(ctx context.Context, socket string) error {
	var conn net.Conn
	err := until(ctx, func() (_ bool, err error) {
		conn, err = net.Dial("unix", socket)
		return err == nil, nil
	})
	if err != nil {
		return err
	}
	monitor, err := qmp.New(ctx, conn, qmp.Options{})
	if err != nil {
		return err
	}
	defer monitor.Close()
	return until(ctx, func() (bool, error) {
		var now struct{ Status string }
		err := monitor.Do(ctx, "query-status", nil, &now)
		if now.Status == "paused" {
			err = monitor.Do(ctx, "cont", nil, nil)
		}
		return now.Status == "running", err
	})
}

// save stops a host and writes all of its state to a file, by way of a socket because
// the emulator sees another /usr, and so no shell.
func save(ctx context.Context, vm *host.VM, socket, to string) error {
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	defer listener.Close()
	type arguments map[string]any
	// The host was restored without its memory in the state; this is to have it.
	whole := arguments{"capabilities": []arguments{{"capability": "x-ignore-shared", "state": false}}}
	err = errors.Join(vm.Monitor().Do(ctx, "stop", nil, nil), vm.Monitor().Do(ctx, "migrate-set-capabilities", whole, nil),
		vm.Monitor().Do(ctx, "migrate", arguments{"uri": "unix:" + socket}, nil))
	if err != nil {
		return err
	}
	conn, err := listener.Accept()
	if err != nil {
		return err
	}
	defer conn.Close()
	f, err := os.Create(to)
	if err == nil {
		_, err = io.Copy(f, conn)
	}
	return errors.Join(err, f.Close())
}

// says waits until a file has the text.
func says(ctx context.Context, path, text string) error {
	return until(ctx, func() (bool, error) {
		said, _ := os.ReadFile(path) // it may not be there yet
		return bytes.Contains(said, []byte(text)), nil
	})
}

// patience bounds what is waited for; nothing here should take as long.
const patience = 5 * time.Minute

// until looks often enough to weigh nothing, and seldom enough to cost nothing.
func until(ctx context.Context, holds func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		if ok, err := holds(); ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(4 * time.Millisecond):
		}
	}
}
