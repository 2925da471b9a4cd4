package steps

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/agent"
	"github.com/virtmatrix/virtmatrix/internal/console"
	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// commandLimit bounds a command in L1, virsh and xl too, at scale 1. Saving a guest
// under an emulated host takes some 20 s.
const commandLimit = 3 * time.Minute

// Run runs a shell command in L1 and returns how it ended, whatever that is. One
// that does not end fails the check.
func (t *T) Run(command string) agent.Result {
	return t.RunWithin(commandLimit, command)
}

// Lines runs a script of ours that prints n lines. Another number is our own fault.
func (t *T) Lines(n int, limit time.Duration, script string) []string {
	res := t.RunWithin(limit, script)
	lines := strings.Split(strings.TrimSuffix(string(res.Stdout), "\n"), "\n")
	if len(lines) != n {
		t.must(fault.Infraf("read what a script prints", "it has %d lines and not %d, and ended with status %d: %s", len(lines), n, res.Code, res.Text()), "")
	}
	return lines
}

// RunWithin is Run with a limit of its own, at scale 1.
func (t *T) RunWithin(limit time.Duration, command string) (res agent.Result) {
	vm := t.Host()
	short := command
	if len(short) > 200 {
		short = short[:200] + "..."
	}
	err := t.await(patience{op: "run " + short, limit: limit, layer: t.Layer, who: "the command"}, func(ctx context.Context) (err error) {
		res, err = vm.Exec(ctx, command)
		return err
	})
	t.must(err, "run "+short)
	return res
}

// Sh runs a shell command in L1 that must succeed and returns what it printed on
// standard output, trimmed.
func (t *T) Sh(command string) string {
	res := t.Run(command)
	if !res.OK() {
		t.Fail(t.Layer, "%q ended with status %d%s:\n%s", command, res.Code, signalWords(res.Signal), console.Tail([]byte(res.Text()), 20))
	}
	if res.Dropped > 0 {
		t.must(fault.Infraf("read what a command printed", "%q printed %d bytes more than are kept", command, res.Dropped), "")
	}
	return strings.TrimSpace(string(res.Stdout))
}

func signalWords(sig string) string {
	if sig == "" {
		return ""
	}
	return " (signal " + sig + ")"
}

// Exists says whether there is a file or folder in L1.
func (t *T) Exists(path string) bool { return t.Run("test -e " + host.Quote(path)).OK() }

// Holds says whether a file of L1 has a text anywhere, which may be in memory that was dumped.
func (t *T) Holds(file, text string) bool {
	return t.Run("grep -qaF " + host.Quote(text) + " " + host.Quote(file)).OK()
}

// Put writes a file of L1.
func (t *T) Put(path, content string) {
	t.must(t.Host().Write(t.ctx, path, []byte(content)), "write "+path)
}

// Scratch names a file or folder of L1 on a real file system for this check. It is
// removed when the check is over.
func (t *T) Scratch(name string) string {
	path := host.ScratchDir + "/" + t.Check + "-" + name
	t.RemoveAfter(path)
	return path
}

// RemoveAfter removes a file or folder of L1 when the check is over.
func (t *T) RemoveAfter(path string) {
	t.Cleanup(func() { t.Sh("rm -rf " + host.Quote(path)) })
}

// DiskImage makes a raw image in L1 for a guest's disk.
func (t *T) DiskImage(name string, bytes int64) (path string) {
	path = t.Scratch(name + ".img")
	t.Sh(fmt.Sprintf("truncate -s %d %s", bytes, path))
	return path
}

// URI is the libvirt URI of the cell's driver, as a user in L1 gives it.
func (t *T) URI() string {
	if t.Kind() == matrix.Xen {
		return "xen:///system"
	}
	return "qemu:///system"
}

// Virsh runs the cell's own virsh in L1, with arguments as its shell reads them, and
// returns how it ended.
func (t *T) Virsh(args string) agent.Result { return t.Run("virsh -c " + t.URI() + " " + args) }

// VirshSays runs a virsh command that must succeed and returns what it printed,
// trimmed.
func (t *T) VirshSays(args string) string { return t.Sh("virsh -c " + t.URI() + " " + args) }

// HasProcess says whether a guest of the name runs, as the system below libvirt
// tells: the emulator's process on kvm, the toolstack's list on Xen.
func (t *T) HasProcess(name string) bool {
	ask := "xl domid " + host.Quote(name)
	if t.Kind() == matrix.KVM {
		ask = emulatorOf(name)
	}
	return t.Run(ask).OK()
}

// emulatorOf is the command that prints the process ID of a kvm guest's emulator.
func emulatorOf(name string) string {
	// The brackets keep the pattern from matching the shell that runs it.
	return "pgrep -f " + host.Quote("[g]uest="+name+",")
}
