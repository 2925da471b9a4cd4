// Package owner ties what a run starts to the life of the run: processes die
// with it, whatever kills it, and run-time folders that a killed run left are
// found again and removed.
//
// A process is started under a guard: this same executable, run again, which
// holds the read end of a pipe whose write end only the harness has. When the
// harness dies for any reason the pipe closes, and the guard kills the
// process's group and removes its folder. When the guard is killed as well the
// kernel kills the process (PR_SET_PDEATHSIG), and the folder, no longer
// locked, is removed by the next run or by gc.
package owner

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// guardName is argv[0] of a guard.
const guardName = "virtmatrix-guard"

// order is what the guard is told on its pipe.
type order struct {
	Argv []string `json:"argv"`
	Env  []string `json:"env"`
	// Dir is the working directory; empty for the harness's own.
	Dir string `json:"dir,omitempty"`
	// Usr is a squashfs image to see as /usr; empty for the machine's own.
	Usr string `json:"usr,omitempty"`
	// Remove is a folder to remove when the process has ended.
	Remove string `json:"remove,omitempty"`
}

// request is what the guard is asked while its process runs.
type request struct {
	// Signal is sent to the process's group.
	Signal syscall.Signal `json:"signal"`
}

// Exit codes of a guard that could not run its process. They are above those
// that qemu uses and below those that stand for signals.
const (
	exitNotStarted = 120
	exitOrphaned   = 121
)

// init turns this executable into a guard when it is started as one. It must
// come before main or the tests of whatever binary we are part of.
func init() {
	if len(os.Args) == 0 || os.Args[0] != guardName {
		return
	}
	// The parent-death signal follows the thread that forked.
	runtime.LockOSThread()
	os.Exit(guard(os.NewFile(3, "pipe")))
}

func guard(pipe *os.File) int {
	var o order
	dec := json.NewDecoder(pipe)
	if err := dec.Decode(&o); err != nil {
		return exitOrphaned
	}
	if o.Remove != "" {
		defer os.RemoveAll(o.Remove)
	}
	if err := overlayUsr(o.Usr); err != nil {
		fmt.Fprintln(os.Stderr, "virtmatrix-guard:", err)
		return exitNotStarted
	}
	path, err := exec.LookPath(o.Argv[0])
	if err != nil {
		fmt.Fprintln(os.Stderr, "virtmatrix-guard:", err)
		return exitNotStarted
	}
	p, err := os.StartProcess(path, o.Argv, &os.ProcAttr{
		Dir: o.Dir, Env: o.Env,
		Files: []*os.File{nil, os.Stdout, os.Stderr},
		Sys:   &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL},
	})
	if err != nil {
		fmt.Fprintf(os.Stderr, "virtmatrix-guard: cannot start %s: %v\n", o.Argv[0], err)
		return exitNotStarted
	}
	go func() {
		// Reading fails when the harness is gone.
		for w := (request{}); dec.Decode(&w) == nil; {
			_ = syscall.Kill(-p.Pid, w.Signal)
		}
		_ = syscall.Kill(-p.Pid, syscall.SIGKILL)
	}()
	st, err := p.Wait()
	_ = syscall.Kill(-p.Pid, syscall.SIGKILL) // what the process itself started
	if err != nil {
		return exitOrphaned
	}
	if ws, ok := st.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return st.ExitCode()
}

// overlayUsr makes an image this process's /usr. The mount lives in a mount
// namespace of our own and ends with it; the loop device frees itself.
func overlayUsr(image string) error {
	if image == "" {
		return nil
	}
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("cannot make mount namespace: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("cannot make mounts private: %w", err)
	}
	out, err := exec.Command("mount", "-t", "squashfs", "-o", "ro,loop", image, "/usr").CombinedOutput()
	if err != nil {
		return fmt.Errorf("cannot mount %s: %w: %s", image, err, strings.TrimSpace(string(out)))
	}
	return nil
}

// Process is a guarded process.
type Process struct {
	cmd  *exec.Cmd
	pipe *os.File
	done chan struct{}
	err  error
}

// Options say how a guarded process runs.
type Options struct {
	Argv []string
	// Env is the whole environment; nil means this process's.
	Env []string
	// Dir is the working directory; empty means this process's.
	Dir string
	// Usr is a squashfs image to see as /usr.
	Usr string
	// Output receives stdout and stderr. It must be a file: a pipe to us would
	// keep the test runner's output open after the run.
	Output *os.File
	// Remove is a folder that ends with the process.
	Remove string
}

// Start starts a process that cannot outlive this one.
func Start(o Options) (*Process, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("cannot start %s: %w", o.Argv[0], err)
	}
	defer r.Close()
	cmd := &exec.Cmd{
		Path: "/proc/self/exe", Args: []string{guardName},
		Stdout: o.Output, Stderr: o.Output, ExtraFiles: []*os.File{r},
		// A group of its own: a terminal's ^C is for the harness to handle.
		SysProcAttr: &syscall.SysProcAttr{Setpgid: true},
	}
	if err := cmd.Start(); err != nil {
		w.Close()
		return nil, fmt.Errorf("cannot start guard of %s: %w", o.Argv[0], err)
	}
	env := o.Env
	if env == nil {
		env = os.Environ()
	}
	p := &Process{cmd: cmd, pipe: w, done: make(chan struct{})}
	err = json.NewEncoder(w).Encode(order{Argv: o.Argv, Env: env, Dir: o.Dir, Usr: o.Usr, Remove: o.Remove})
	go func() {
		p.err = describeExit(o.Argv[0], cmd.Wait())
		close(p.done)
	}()
	if err != nil {
		p.Kill()
		return nil, fmt.Errorf("cannot instruct guard of %s: %w", o.Argv[0], err)
	}
	return p, nil
}

func describeExit(name string, err error) error {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return err
	}
	code := exit.ExitCode()
	switch {
	case code == exitNotStarted:
		return fmt.Errorf("%s was not started: its guard says why in the log", name)
	case code > 128:
		return fmt.Errorf("%s was ended by %s", name, unix.SignalName(syscall.Signal(code-128)))
	}
	return fmt.Errorf("%s ended with status %d", name, code)
}

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err tells how the process ended; it is nil before that and for status 0.
func (p *Process) Err() error {
	select {
	case <-p.done:
		return p.err
	default:
		return nil
	}
}

// Signal sends a signal to the process's group, as a terminal does.
func (p *Process) Signal(sig syscall.Signal) error {
	if err := json.NewEncoder(p.pipe).Encode(request{sig}); err != nil {
		return fmt.Errorf("cannot signal process: %w", err)
	}
	return nil
}

// Kill ends the process and everything it started, and waits for that.
func (p *Process) Kill() {
	p.pipe.Close()
	<-p.done
}
