// Package tool runs the machine's own programs (apt, mmdebstrap, mksquashfs,
// ...) so that none outlives the harness and each failure shows what it said.
package tool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Tool is a program, or another file, that has to be on the machine.
type Tool struct {
	// Name is the program, looked up in PATH, or a file's absolute path.
	Name string
	// Package is the Debian package that brings it.
	Package string
}

// Missing returns those of the tools that are not on the machine.
func Missing(tools []Tool) []Tool {
	var missing []Tool
	for _, t := range tools {
		if !there(t.Name) {
			missing = append(missing, t)
		}
	}
	return missing
}

func there(name string) bool {
	if filepath.IsAbs(name) {
		_, err := os.Stat(name)
		return err == nil
	}
	_, err := exec.LookPath(name)
	return err == nil
}

// MissingError says which tools are not on the machine.
type MissingError struct{ Tools []Tool }

// Error names each missing tool and the command that installs them all.
func (e *MissingError) Error() string {
	var names, packages []string
	seen := map[string]bool{}
	for _, t := range e.Tools {
		names = append(names, t.Name)
		if !seen[t.Package] {
			seen[t.Package] = true
			packages = append(packages, t.Package)
		}
	}
	return fmt.Sprintf("missing %s; install with: apt-get install %s", strings.Join(names, ", "), strings.Join(packages, " "))
}

// Require returns a *MissingError when any of the tools is not there.
func Require(tools []Tool) error {
	if missing := Missing(tools); len(missing) > 0 {
		return &MissingError{Tools: missing}
	}
	return nil
}

// Command is one program to run to its end.
type Command struct {
	Argv []string
	Dir  string
	// Env is added to the harness's own environment.
	Env   []string
	Stdin io.Reader
	// Stdout gets standard output in place of what Run returns.
	Stdout io.Writer
	// Log gets everything the program prints, next to what Run returns.
	Log io.Writer
	// Isolated runs the program in mount and PID namespaces of its own: when
	// it is killed, its mounts and all its descendants are gone too.
	Isolated bool
}

// ExitError is a program that ended badly.
type ExitError struct {
	Argv []string
	// Output is the end of what it printed, at most 4 KiB.
	Output string
	Err    error
}

// Error returns the program, how it ended, and the end of what it printed.
func (e *ExitError) Error() string {
	if e.Output == "" {
		return fmt.Sprintf("%s: %v", e.Argv[0], e.Err)
	}
	return fmt.Sprintf("%s: %v: %s", e.Argv[0], e.Err, e.Output)
}

// Unwrap returns how the program ended.
func (e *ExitError) Unwrap() error { return e.Err }

const tailBytes = 4096

// Run runs the command and returns what it printed on standard output and on
// standard error. The program dies when ctx ends or when the harness does,
// together with everything in its process group. A failure is an *ExitError.
func Run(ctx context.Context, c Command) (stdout, stderr []byte, err error) {
	// The parent of a child is a thread, and Pdeathsig fires when that thread
	// ends: it must live as long as the child.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	argv := c.Argv
	if c.Isolated {
		argv = append([]string{"unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"}, argv...)
	}
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir, cmd.Stdin = c.Dir, c.Stdin
	// Messages are parsed, so they must not be translated.
	cmd.Env = append(append(os.Environ(), "LC_ALL=C.UTF-8", "LANGUAGE=", "DEBIAN_FRONTEND=noninteractive"), c.Env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 10 * time.Second
	if c.Log != nil {
		c.Log = &shared{to: c.Log}
	}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = tee(&out, c.Log), tee(&errs, c.Log)
	if c.Stdout != nil {
		cmd.Stdout = c.Stdout
	}
	err = cmd.Run()
	if err == nil {
		return out.Bytes(), errs.Bytes(), nil
	}
	if ctx.Err() != nil {
		err = errors.Join(ctx.Err(), err)
	}
	said := errs.Bytes()
	if len(bytes.TrimSpace(said)) == 0 {
		said = out.Bytes()
	}
	return out.Bytes(), errs.Bytes(), &ExitError{Argv: c.Argv, Output: tail(said), Err: err}
}

// shared is a log that standard output and standard error are written to at once.
type shared struct {
	mu sync.Mutex
	to io.Writer
}

// Write writes to the log.
func (s *shared) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.to.Write(p)
}

func tee(buf *bytes.Buffer, log io.Writer) io.Writer {
	if log == nil {
		return buf
	}
	return io.MultiWriter(buf, log)
}

func tail(b []byte) string {
	if len(b) > tailBytes {
		b = b[len(b)-tailBytes:]
	}
	return strings.TrimSpace(string(b))
}
