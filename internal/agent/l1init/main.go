// Command l1init is PID 1 of L1: see package agent.
//
// As PID 1 it composes the root and then does nothing but reap: a host whose
// init leaves zombies makes libvirt wait 40 seconds for each emulator that
// ended, which looks like a hang of the product. A child of its own, started
// with the argument "serve", starts the daemons and answers the harness.
//
// A container has its root already. There the program is started as its init with
// the argument "contain", and the container ends with the harness's connection.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/agent"
	"golang.org/x/sys/unix"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "serve" {
		if err := serve(); err != nil {
			die(err)
		}
		return
	}
	compose := boot
	if len(os.Args) > 1 && os.Args[1] == agent.Contain {
		compose = contain
	}
	spec, err := compose()
	if err != nil {
		die(err)
	}
	pid, err := startServer(spec)
	if err != nil {
		die(err)
	}
	reap(pid)
}

// die tells the console why the host cannot go on, and stops it: the harness
// sees the line and the end of the emulator at once instead of waiting.
func die(err error) {
	fmt.Fprintf(os.Stderr, "\n%s%v\n", agent.FaultLine, err)
	if len(os.Args) > 1 { // it is not the init of a machine
		os.Exit(1)
	}
	time.Sleep(time.Second) // lets an emulated console drain before power goes
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
	select {}
}

func readSpec(path string) (spec agent.Spec, err error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return spec, fmt.Errorf("read host spec: %w", err)
	}
	if err := json.Unmarshal(b, &spec); err != nil {
		return spec, fmt.Errorf("parse host spec: %w", err)
	}
	return spec, nil
}

func boot() (agent.Spec, error) {
	if err := mountKernelFS(); err != nil {
		return agent.Spec{}, err
	}
	if _, err := os.Stat(agent.SpecPath); errors.Is(err, os.ErrNotExist) {
		if err := takeParts(); err != nil {
			return agent.Spec{}, err
		}
	}
	spec, err := readSpec(agent.SpecPath)
	if err != nil {
		return spec, err
	}
	if err := insertModules(spec.Modules); err != nil {
		return spec, err
	}
	return spec, compose(&spec)
}

// startServer starts the serving child; its spec goes through a pipe because
// the initramfs is out of sight by now.
func startServer(spec agent.Spec) (int, error) {
	b, err := json.Marshal(spec)
	if err != nil {
		return 0, fmt.Errorf("pass host spec on: %w", err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		return 0, fmt.Errorf("pass host spec on: %w", err)
	}
	defer r.Close()
	pid, err := syscall.ForkExec("/proc/self/exe", []string{"l1init", "serve"}, &syscall.ProcAttr{
		Env:   agent.Environment(),
		Files: []uintptr{r.Fd(), 1, 2},
	})
	if err != nil {
		return 0, fmt.Errorf("start agent: %w", err)
	}
	_, err = w.Write(b)
	w.Close()
	if err != nil {
		return 0, fmt.Errorf("pass host spec on: %w", err)
	}
	return pid, nil
}

func reap(server int) {
	for {
		pid, err := syscall.Wait4(-1, nil, 0, nil)
		switch {
		case pid == server:
			die(errors.New("serve: the agent ended"))
		case err != nil && !errors.Is(err, syscall.EINTR):
			die(fmt.Errorf("wait for children: %w", err))
		}
	}
}
