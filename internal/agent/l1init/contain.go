package main

import (
	"fmt"
	"net"

	"github.com/virtmatrix/virtmatrix/internal/agent"
	"golang.org/x/sys/unix"
)

// contain makes a container a host. Its root, kernel file systems, host name and
// loopback are there: what is missing are the harness's files.
func contain() (agent.Spec, error) {
	if err := openConsole(agent.ConsoleInContainer); err != nil {
		return agent.Spec{}, err
	}
	spec, err := readSpec(agent.SpecInContainer)
	if err != nil {
		return spec, err
	}
	if err := writeFiles(spec.Files, agent.PartsInContainer, ""); err != nil {
		return spec, err
	}
	return spec, makeDirs()
}

// openConsole makes a file the standard output and error of this process, and of
// those that it starts.
func openConsole(path string) error {
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_APPEND|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open console: %w", err)
	}
	defer unix.Close(fd)
	for _, std := range []int{unix.Stdout, unix.Stderr} {
		if err := unix.Dup3(fd, std, 0); err != nil {
			return fmt.Errorf("open console: %w", err)
		}
	}
	return nil
}

// call connects to the harness that waits on a Unix socket.
func call(socket string) (net.Conn, error) {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return nil, fmt.Errorf("call the harness: %w", err)
	}
	return conn, nil
}
