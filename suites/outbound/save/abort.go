package save

import (
	"time"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// abortLimit bounds how long a job may take to begin, and to end once it is called off, at scale 1.
const abortLimit = 10 * time.Second

// slowly is a command that passes on what it reads as slow storage does: what is written of a
// guest takes tens of seconds.
const slowly = `perl -e 'while (sysread STDIN, $b, 65536) { syswrite STDOUT, $b; select undef, undef, undef, 0.05 }'`

// slowWriter has what libvirt writes images with be slow until the check is over: its own helper,
// or what compresses them if they are to be compressed.
func slowWriter(t *steps.T, compressed bool) {
	if compressed {
		t.Wrap("gzip", "exec "+slowly)
		t.Cleanup(func() { t.Unwrap("gzip") })
		t.Configure(t.Layout().LibvirtConfig+"/qemu.conf", "save_image_format = \"gzip\"\ndump_image_format = \"gzip\"\n")
		return
	}
	helper := t.Sh("ls /usr/lib/libvirt/libvirt_iohelper /usr/libexec/libvirt_iohelper 2>/dev/null | head -n 1")
	t.Wrap(helper, slowly+` | $REAL "$@"`)
	t.Cleanup(func() { t.Unwrap(helper) })
}

// nothingLeft asserts that nothing is left of a job that was called off.
func nothingLeft(t *steps.T, job, file string, g *steps.Guest, mark steps.Mark) {
	t.Expect(t.Exists(file)).To(BeFalse(), "a file of the %s that was called off is there", job)
	t.Expect(g.Domain.HasManagedSave()).To(BeFalse(), "the domain has a managed save after a %s that was called off", job)
	t.Expect(g.Domain.State()).To(Equal(libvirt.DOMAIN_RUNNING), "state after a %s that was called off", job)
	g.ExpectGoesOn(mark)
}

var (
	_ = calledOff("O-ABORT", "A save or dump", false)
	_ = calledOff("O-ABORT-Z", "A compressed save or dump", true)
)

func calledOff(id, what string, compressed bool) *check.Check {
	return check.Register(id, check.Spec{
		Asserts:  what + " that is called off in its middle ends as such and leaves no file, and the guest and the daemon go on",
		Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "0.9.4")},
		Depends:  check.On(matrix.Libvirt, matrix.QEMU),
		Control:  sabotage.Swallow("virDomainAbortJob"),
	}, func(t *steps.T) {
		slowWriter(t, compressed)
		d, g := t.Started()
		mark, file, daemon := g.Mark(), t.Scratch("image"), t.DaemonPID()
		for _, job := range []struct {
			what string
			call func() error
		}{
			{"dump", func() error { return d.Raw.CoreDump(file, 0) }},
			{"save", func() error { return d.Raw.SaveFlags(file, "", 0) }},
			{"managed save", func() error { return d.Raw.ManagedSave(0) }},
		} {
			running := t.Begin(job.what, job.call)
			t.Until(abortLimit, "the "+job.what+" is under way", func() bool { return d.Job().DataProcessed > 0 })
			t.Do("call the "+job.what+" off", d.Raw.AbortJob)
			t.Refuses(job.what+" that was called off", libvirt.ERR_OPERATION_ABORTED, func() error { return running.Try(abortLimit) })
			nothingLeft(t, job.what, file, g, mark)
		}
		t.Expect(t.DaemonPID()).To(Equal(daemon), "process of the daemon")
	})
}

// virsh(1), save: another way to call it off is to send SIGINT to virsh.
var _ = check.Register("O-CLI-INT", check.Spec{
	Asserts:  "A virsh that saves a guest and is interrupted by a signal calls its job off, and leaves no file",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "0.9.4")},
	Depends:  check.On(matrix.Libvirt),
	Control:  sabotage.Wrap("virsh", "a virsh that nobody interrupts", `case "$*" in *" save "*) trap "" INT; $REAL "$@"; exit;; esac; exec $REAL "$@"`),
}, func(t *steps.T) {
	slowWriter(t, false)
	d, g := t.Started()
	mark, file := g.Mark(), t.Scratch("image")
	t.Sh("setsid sh -c 'echo $$ >" + file + ".pid; exec virsh -c " + t.URI() + " save " + d.Name + " " + file + "' >" + file + ".said 2>&1 </dev/null &")
	t.Until(abortLimit, "the save is under way", func() bool { return d.Job().DataProcessed > 0 })
	t.Sh("kill -INT $(cat " + file + ".pid)")
	t.Until(abortLimit, "virsh ends once it was interrupted", func() bool { return !t.Run("kill -0 $(cat " + file + ".pid)").OK() })
	t.Expect(t.Sh("cat "+file+".said")).To(ContainSubstring("error:"), "what virsh said")
	nothingLeft(t, "save by virsh", file, g, mark)
})
