package consumers

import (
	"strings"
	"syscall"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

func init() {
	ansible("C-ANS-ERR", "A playbook with an error fails in libvirt's words where it is, what came before stands, and what comes after is not done",
		goesOn(`refused\|malformed\|unknown`), playbookErrors)
	ansible("C-ANS-CRASH", "A playbook fails when libvirt's daemon dies under a task, goes on when it died between two, and its second run ends as it should",
		binding("virDomainCreate"), daemonDies)
}

// goesOn is an Ansible that goes on when tasks of some names fail.
func goesOn(tasks string) *sabotage.Control {
	return sabotage.WrapAddOn("ansible-playbook", "an Ansible that goes on", `sed -i 's/"name": "\(`+tasks+`\)"/&, "ignore_errors": true/' *.yml; exec $REAL "$@"`)
}

func playbookErrors(t *steps.T, a *steps.Ansible) {
	const nonesuch = "<domain type='nonesuch'><name>vmrefused</name><memory>65536</memory><os><type>hvm</type></os></domain>"
	for error, task := range map[string]steps.Task{
		"nonesuch":  defined(a, "refused", nonesuch),
		"":          defined(a, "malformed", "<domain type='qemu'><name>vmrefused</name>"),
		"vmnowhere": a.Virt("unknown", steps.Args{"name": "vmnowhere", "state": "running"}),
	} {
		d := t.Define()
		after := t.Scratch("after")
		played := a.Play(a.Virt("before", steps.Args{"name": d.Name, "autostart": true}), task, a.Shell("after", "touch "+after))
		said := played.ExpectFailed(task.Name)
		t.Note("%s: %s", task.Name, said)
		t.Expect(said).To(ContainSubstring(error), "what the user is told of the task %q", task.Name)
		t.Expect(d.Autostart()).To(BeTrue(), "what the task before the error did stands")
		t.Expect(t.Exists(after)).To(BeFalse(), "the task after the error was done")
		t.Expect(t.VirshSays("list --all --name")).NotTo(ContainSubstring("vmrefused"), "domains after the error")
	}
}

// daemonDies has a hook hold the guest's start, in which the task waits for the daemon.
func daemonDies(t *steps.T, a *steps.Ansible) {
	reached, free := t.Scratch("reached"), t.Scratch("free")
	t.InstallHook("qemu", `test "$2" != prepare || { touch `+reached+`; until test -e `+free+`; do sleep 0.1; done; }`)
	d := t.Define()
	start := a.Virt("running", steps.Args{"name": d.Name, "state": "running"})
	auto := a.Virt("autostart", steps.Args{"name": d.Name, "autostart": true})
	wait := a.Background(auto, start)
	t.Until(steps.PlugLimit, "the guest is about to start", func() bool { return t.Exists(reached) })
	t.RestartLibvirt(syscall.SIGKILL)
	said := wait().ExpectFailed("running")
	t.Note("the daemon died under a task: %s", said)
	t.Expect(strings.TrimSpace(said)).NotTo(BeEmpty(), "what the user is told")
	d = d.Again()
	t.Expect(d.State()).To(Equal(libvirt.DOMAIN_SHUTOFF), "state of the guest whose start was broken off")
	t.Sh("touch " + free)
	a.Play(auto, start).ExpectChanged("running")
	guest := d.Guest()
	mark := guest.Mark()

	between := t.Scratch("between")
	wait = a.Background(a.Shell("between", "touch "+reached+"2; until test -e "+between+"; do sleep 0.1; done"), a.Virt("paused", steps.Args{"name": d.Name, "state": "paused"}))
	t.RemoveAfter(reached + "2")
	t.Until(steps.PlugLimit, "the playbook waits between two tasks", func() bool { return t.Exists(reached + "2") })
	t.RestartLibvirt(syscall.SIGKILL)
	t.Sh("touch " + between)
	wait().ExpectChanged("between", "paused")
	d = d.Again()
	t.Expect(d.State()).To(Equal(libvirt.DOMAIN_PAUSED), "state of the guest")
	d.Resume()
	guest.ExpectGoesOn(mark)
}
