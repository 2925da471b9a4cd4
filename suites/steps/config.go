package steps

import (
	"fmt"
	"path"
	"strings"
	"syscall"

	"github.com/virtmatrix/virtmatrix/internal/agent"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/internal/layout"
)

// Configure adds lines to a file of libvirt's configuration and starts its daemon anew;
// both are undone when the check is over.
func (t *T) Configure(file, lines string) {
	t.amend(file, lines, func() { t.RestartLibvirt(syscall.SIGTERM) })
	t.RestartLibvirt(syscall.SIGTERM)
}

// Restrict is Configure for lines after which libvirt's socket asks who comes: no step
// has a connection until the check is over.
func (t *T) Restrict(file, lines string) {
	t.amend(file, lines, func() { t.RestartLibvirt(syscall.SIGTERM) })
	t.restart(t.Manager().Name, syscall.SIGTERM)
	t.disconnect()
}

// InstallHook gives libvirt a hook, which is a shell script that has the words of its
// call as arguments. A daemon looks for hooks as it starts (virHookInitialize).
func (t *T) InstallHook(name, script string) {
	file := t.Layout().LibvirtConfig + "/hooks/" + name
	t.Sh("mkdir -p " + host.Quote(path.Dir(file)))
	t.amend(file, "#!/bin/sh\n"+script+"\n", func() { t.RestartLibvirt(syscall.SIGTERM) })
	t.Sh("chmod 755 " + host.Quote(file))
	t.RestartLibvirt(syscall.SIGTERM)
}

// Listen has libvirt take connections from other machines, with these lines in its
// configuration, until the check is over. The agent starts daemons as they are started
// for one machine alone, so this one is started by a shell.
func (t *T) Listen(lines string) {
	d, err := t.Layout().Listener(t.Kind())
	t.must(err, "find the daemon that listens")
	t.amend(d.Config, lines, func() {
		t.restart(d.Name, syscall.SIGTERM)
		t.reconnect()
	})
	t.Sh("ip link set lo up 2>/dev/null || true")
	t.endDaemon(d)
	listening := strings.Join(append([]string{d.Path}, d.ListenOptions()...), " ")
	t.Sh(fmt.Sprintf("setsid %s >>%s 2>&1 </dev/null &", listening, agent.ServiceLog(d.Name)))
	// On its own socket: where each driver has a daemon another one answers on the usual one.
	own := "virsh -c " + host.Quote(strings.Replace(t.URI(), ":", "+unix:", 1)+"?socket="+d.Socket) + " uri </dev/null"
	t.Until(callLimit, d.Name+" answers", func() bool { return t.Run("timeout 20 " + own).OK() })
	t.Cleanup(func() { t.endDaemon(d) })
	t.reconnect()
}

// ListenActivated has libvirt's daemon listen as Listen does, but with its local socket
// opened by another program before, which is a script of Perl with the socket and the
// daemon's command line as arguments. It returns what the daemon said until it answered,
// or ended.
func (t *T) ListenActivated(lines, opener string) (said string) {
	d, err := t.Layout().Listener(t.Kind())
	t.must(err, "find the daemon that listens")
	log := t.Scratch("activated.log")
	t.amend(d.Config, lines, func() { t.RestartLibvirt(syscall.SIGTERM) })
	t.Sh("ip link set lo up 2>/dev/null || true")
	t.endDaemon(d)
	t.disconnect()
	t.Sh(fmt.Sprintf("setsid sh -c %s >%s 2>&1 </dev/null &", host.Quote(fmt.Sprintf("perl -e %s %s %s %s; echo it ended with status $?", host.Quote(opener), d.Socket, d.Path, strings.Join(d.ListenOptions(), " "))), log))
	t.Cleanup(func() {
		t.tryEndDaemon(d)
		t.Run("rm -f " + d.Socket)
	})
	t.Until(callLimit, d.Name+" answers or ends", func() bool {
		return t.Run("grep -q '^it ended' "+log).OK() || t.Run("timeout 20 virsh -c "+t.URI()+" uri </dev/null").OK()
	})
	return t.Sh("cat " + log)
}

func (t *T) endDaemon(d layout.Daemon) { t.Sh(endOf(d)) }

// tryEndDaemon ends a daemon that may have ended by now.
func (t *T) tryEndDaemon(d layout.Daemon) { t.Run(endOf(d)) }

// endOf is the command that ends a daemon and waits for its end.
func endOf(d layout.Daemon) string {
	return fmt.Sprintf("kill $(pidof %s) && timeout 60 sh -c 'while pidof %s >/dev/null; do sleep 0.05; done'", d.Name, d.Name)
}

// amend adds lines to a file. When the check is over the file is as it was, and who reads
// it is started anew.
func (t *T) amend(file, lines string, restart func()) {
	aside, f := t.Scratch(fmt.Sprintf("%s.aside%d", path.Base(file), len(t.cleanups))), host.Quote(file)
	t.Sh("test ! -e " + f + " || cp -a " + f + " " + aside + "; printf %s " + host.Quote(lines) + " >> " + f)
	t.Cleanup(func() {
		t.Sh("if test -e " + aside + "; then cp -a " + aside + " " + f + "; else rm -f " + f + "; fi")
		restart()
	})
}
