package tools

import (
	"fmt"
	"strings"
	"syscall"
	"time"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/internal/agent"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// stopLimit is how long a hook may take to be called, reasonsSince the first release that
// tells it why a run ended.
const (
	stopLimit    = time.Minute
	reasonsSince = "10.0"
)

// recorded is a hook that writes each of its calls down, with the name of the object in
// the XML that it was given, and refuses those that a file names.
func recorded(log string) string {
	return fmt.Sprintf(`name=$(sed -n 's|^ *<name>\(.*\)</name>.*|\1|p' | head -n 1)
echo "$*|$name" >>%[1]s
test "$(cat %[1]s.veto 2>/dev/null)" != "$2"`, log)
}

// hookOf is the hook of the cell's driver.
func hookOf(t *steps.T) string {
	return map[matrix.Kind]string{matrix.KVM: "qemu", matrix.Xen: "libxl"}[t.Kind()]
}

// called returns the calls of a hook about an object since the last time, without its name
// at both ends. Those about a guest that other checks borrow are not the check's.
func called(t *steps.T, log, name string) (calls []string) {
	for _, line := range strings.Split(t.Sh("cat "+log+"; rm -f "+log), "\n") {
		words, given, _ := strings.Cut(line, "|")
		if about, _, _ := strings.Cut(words, " "); about != name && t.Lends(about) {
			continue
		}
		t.Expect(given).To(Equal(name), "the object in the XML that the hook is given for %q", words)
		calls = append(calls, strings.TrimPrefix(words, name+" "))
	}
	return calls
}

var _ = check.Register("O-HOOK", check.Spec{
	Asserts:  "The hook of a driver is called before, during and after a start and an end, in order, with the guest's XML",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "2.1.0")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU, matrix.XenHyp),
	Control: sabotage.Command("hooks that cannot be executed",
		"(while :; do chmod 644 /etc/libvirt/hooks/qemu /etc/libvirt/hooks/libxl; sleep 0.05; done) >/dev/null 2>&1 &"),
}, func(t *steps.T) {
	log := t.Scratch("log")
	t.Cleanup(func() { t.Sh("rm -f " + log) })
	t.InstallHook(hookOf(t), recorded(log))
	d := t.Define()
	d.StartPaused()
	t.Expect(called(t, log, d.Name)).To(Equal([]string{"prepare begin -", "start begin -", "started begin -"}), "calls of a start")
	d.Destroy()
	t.Expect(ends(called(t, log, d.Name))).To(Equal([]string{"stopped end", "release end"}), "calls of an end")
	t.Refuses("call hooks of a domain that is off", libvirt.ERR_OPERATION_INVALID, d.Raw.Destroy)
	t.Expect(t.Exists(log)).To(BeFalse(), "calls of an end that was refused")
})

// ends leaves out why a run ended, which newer releases say.
func ends(calls []string) (short []string) {
	for _, c := range calls {
		words := strings.Fields(c)
		short = append(short, strings.Join(words[:min(len(words), 2)], " "))
	}
	return short
}

// With a restore the hook is asked what to restore, and what it prints is restored: our
// hook prints nothing, which is no change.
var _ = check.Register("O-HOOK-Q", check.Spec{
	Asserts:  "A hook can veto a start, of which nothing is left, and is told why each run of a guest ended",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "2.1.0")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU),
	Control:  sabotage.Swallow("virDomainCreateWithFlags"),
}, func(t *steps.T) {
	log, image := t.Scratch("log"), t.Scratch("image")
	t.Cleanup(func() { t.Sh("rm -f " + log + " " + log + ".veto") })
	t.InstallHook("qemu", recorded(log))
	d := t.Define()
	for _, veto := range []string{"prepare", "start", "started"} {
		t.Sh("echo " + veto + " >" + log + ".veto")
		t.Expect(t.Try("start", func() error { return d.Raw.CreateWithFlags(libvirt.DOMAIN_START_PAUSED) })).To(HaveOccurred(), "start that the hook vetoes at %s", veto)
		t.Expect(d.State()).To(Equal(libvirt.DOMAIN_SHUTOFF), "state after a veto at %s", veto)
		t.Expect(t.HasProcess(d.Name)).To(BeFalse(), "an emulator is left of a veto at %s", veto)
		t.Expect(ends(called(t, log, d.Name))).To(ContainElements(veto+" begin", "stopped end", "release end"), "calls of a start that is vetoed at %s", veto)
	}
	t.Sh("rm " + log + ".veto")
	d.Start()
	g := d.Guest()
	t.Sh("rm " + log)
	why := map[string]string{}
	endsBy := func(what string, end func()) {
		end()
		d.WaitFor(libvirt.DOMAIN_SHUTOFF)
		t.Until(stopLimit, "the hook is called at the end", func() bool { return t.Run("grep -q release " + log).OK() })
		calls := called(t, log, d.Name)
		t.Expect(ends(calls)).To(ContainElements("stopped end", "release end"), "calls when a guest ends by %s", what)
		why[what] = strings.Join(calls, ", ")
	}
	endsBy("saving", func() { d.Save(image) })
	t.Connection().Restore(image)
	t.Expect(ends(called(t, log, d.Name))).To(Equal([]string{"restore begin", "prepare begin", "start begin", "started begin"}), "calls of a restore")
	g.WaitReady()
	endsBy("its own power-off", g.PowerOff)
	d.StartPaused()
	t.Sh("rm " + log)
	endsBy("destruction", d.Destroy)
	d.StartPaused()
	t.Sh("rm " + log)
	endsBy("a crash", func() { t.Crash("/run/libvirt/qemu/" + d.Name + ".pid") })
	t.Note("ends as the hook is told: %v", why)
	if t.AtLeast(matrix.Libvirt, reasonsSince) {
		for what, word := range map[string]string{"saving": "saved", "its own power-off": "shutdown", "destruction": "destroyed", "a crash": "crashed"} {
			t.Expect(why[what]).To(ContainSubstring("release end "+word), "why the hook is told of %s", what)
		}
	}
})

var _ = check.Register("O-HOOK-D", check.Spec{
	Asserts:  "The hook of the daemon is called when it starts, reloads and ends",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "0.8.0")},
	Depends:  check.On(matrix.Libvirt),
	Control: sabotage.Command("a hook that cannot be executed",
		"(while :; do chmod 644 /etc/libvirt/hooks/daemon; sleep 0.05; done) >/dev/null 2>&1 &"),
}, func(t *steps.T) {
	log := t.Scratch("log")
	t.InstallHook("daemon", `echo "$*" >>`+log)
	calls := func() []string { return strings.Split(t.Sh("cat "+log+" 2>/dev/null; rm -f "+log), "\n") }
	t.Expect(calls()).To(ContainElement("- start - start"), "calls of a start")
	t.Sh("kill -HUP " + t.DaemonPID())
	t.Until(stopLimit, "the daemon has called its hook", func() bool { return t.Exists(log) })
	t.Expect(calls()).To(Equal([]string{"- reload begin SIGHUP"}), "calls of a reload")
	old := t.DaemonPID()
	t.RestartManager(syscall.SIGTERM)
	forced := "grep -h ': " + old + ": warning .*forcefull daemon shutdown' " + agent.ServiceLog(t.Manager().Name) + " || true"
	t.Expect(t.Sh(forced)).To(BeEmpty(), "what the daemon says that has waited half a minute for its threads to end")
	t.Expect(calls()).To(Equal([]string{"- shutdown - shutdown", "- start - start"}), "calls of a restart")
})
