package lifecycle

import (
	"syscall"
	"time"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/internal/layout"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// logDaemon has the other ends of what guests print.
const logDaemon = "virtlogd"

// loggedLimit is how long what a guest prints may take to be in its log, at scale 1.
const loggedLimit = 10 * time.Second

// Packages that are upgraded have the daemon execute its new program and keep what it has open
// (ExecReload of virtlogd.service), since guests would lose their logs otherwise.
var _ = check.Register("O-LOGD", check.Spec{
	Asserts:  "A guest's console is logged on when virtlogd executes its program anew, and once virtlogd was killed the guest goes on and others start",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "1.3.0"), matrix.Pristine},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU),
	Control:  sabotage.Wrap(logDaemon, "a virtlogd that forgets what it had open", `rm -f /run/virtlogd-restart-exec.json; exec $REAL "$@"`),
}, func(t *steps.T) {
	_, g := t.Started()
	mark, pid := g.Mark(), t.Sh("pidof "+logDaemon)
	logs := func(g *steps.Guest, when string) {
		before := len(g.Console())
		g.Tick()
		t.Until(loggedLimit, "the guest's console is logged "+when, func() bool { return len(g.Console()) > before })
	}
	logs(g, "before anything happens")
	t.Expect(t.Reexecute(logDaemon, pid)).To(BeTrue(), logDaemon+" is there")
	logs(g, "after virtlogd executed its program anew")

	t.RestartDaemon(layout.Daemon{Name: logDaemon}, syscall.SIGKILL)
	g.Domain = g.Domain.Again()
	g.ExpectGoesOn(mark)
	_, fresh := t.Started()
	logs(fresh, "by the virtlogd that came after one that was killed")
})
