package lifecycle

import (
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// How often each is done, and how many of libvirt's own files may be open on top.
const (
	definitions = 100
	runs        = 20
	spareFiles  = 2
)

// Threads of a guest's own are those that no pool of the daemon has.
var _ = check.Register("O-PERF", check.Spec{
	Asserts:  "The daemon keeps no files, threads or control groups of domains that come and go often",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "1.2.12")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU, matrix.XenHyp),
	Control: sabotage.Command("clients that stay",
		"(for i in $(seq 60); do sleep 2; virsh event --all --loop --timeout 600 & done) >/dev/null 2>&1 &"),
}, func(t *steps.T) {
	g := t.NewGuest()
	xml := t.Marshal(t.Describe(g))
	d := t.DefineXML(g, xml)
	run := func() { d.StartPaused(); d.Destroy() }
	run() // what is made once is made
	files, threads := openOf(t)
	began := time.Now()
	for range definitions {
		d.Undefine()
		t.Connection().Define(xml)
		d = t.Connection().Lookup(g.Name)
	}
	t.Note("%d definitions in %s", definitions, time.Since(began).Round(time.Millisecond))
	began = time.Now()
	for range runs {
		run()
	}
	t.Note("%d starts in %s", runs, time.Since(began).Round(time.Millisecond))
	t.Until(30*time.Second, fmt.Sprintf("the daemon has no more than %d files and %d threads", files+spareFiles, threads), func() bool {
		f, th := openOf(t)
		return f <= files+spareFiles && th <= threads
	})
	t.Expect(t.Sh("find /sys/fs/cgroup -name '*"+strings.TrimPrefix(d.Name, "l2-")+"*' 2>/dev/null || true")).To(BeEmpty(), "control groups")
	t.Expect(t.HasProcess(d.Name)).To(BeFalse(), "an emulator is left")
})

// openOf counts the daemon's open files, and its threads that are of no pool.
func openOf(t *steps.T) (files, threads int) {
	said := t.Sh("p=/proc/" + t.DaemonPID() + "; ls $p/fd | wc -l; cat $p/task/*/comm | grep -vc rpc- || true")
	_, err := fmt.Sscan(said, &files, &threads)
	t.Expect(err).NotTo(HaveOccurred(), said)
	return files, threads
}
