package tuning

import (
	"fmt"
	"slices"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

var _ = check.Register("O-IOT", check.Spec{
	Asserts:  "An added I/O thread is one of the running emulator, takes parameters and goes when deleted, unless a disk needs it",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "4.10.0")},
	Depends:  check.On(matrix.QEMU, matrix.Libvirt, matrix.XenHyp),
	Control:  sabotage.Swallow("virDomainAddIOThread"),
}, func(t *steps.T) {
	if t.Kind() == matrix.Xen {
		d := t.Guest().Domain
		t.LacksOnXen("add I/O thread", func() error { return d.Raw.AddIOThread(2, libvirt.DOMAIN_AFFECT_LIVE) })
		return
	}
	disk := domain.WithDisk(t.DiskImage("served", 1<<20), "raw", domain.At("vda", "virtio"), domain.InIOThread(1))
	d, g := t.Started(domain.WithIOThreads(1), disk)
	t.Do("add I/O thread", func() error { return d.Raw.AddIOThread(2, libvirt.DOMAIN_AFFECT_LIVE) })
	t.Expect(d.Threads()).To(HaveKey("IO iothread2"), "threads of the emulator")
	t.Refuses("add an I/O thread twice", libvirt.ERR_INVALID_ARG, func() error { return d.Raw.AddIOThread(2, libvirt.DOMAIN_AFFECT_LIVE) })
	t.VirshSays("iothreadadd " + d.Name + " 3 --config")
	t.Expect(threads(t, d, libvirt.DOMAIN_AFFECT_LIVE)).To(Equal("[1 2]"), "I/O threads of the running guest")
	t.Expect(threads(t, d, libvirt.DOMAIN_AFFECT_CONFIG)).To(Equal("[1 3]"), "I/O threads of the next start")

	t.Do("set I/O thread's parameters", func() error {
		return d.Raw.SetIOThreadParams(2, &libvirt.DomainSetIOThreadParams{PollMaxNsSet: true, PollMaxNs: 12345}, libvirt.DOMAIN_AFFECT_LIVE)
	})
	t.Expect(d.Monitor(`{"execute":"query-iothreads"}`)).To(MatchRegexp(`"poll-max-ns":\s*12345\b`), "the emulator's I/O threads")
	t.Expect(t.VirshSays("domstats --iothread " + d.Name)).To(ContainSubstring("iothread.2.poll-max-ns=12345"))

	t.Do("delete I/O thread", func() error { return d.Raw.DelIOThread(2, libvirt.DOMAIN_AFFECT_LIVE) })
	t.Until(steps.PlugLimit, "the emulator has no such thread", func() bool { _, ok := d.Threads()["IO iothread2"]; return !ok })
	t.Refuses("delete the I/O thread of a disk", libvirt.ERR_INVALID_ARG, func() error { return d.Raw.DelIOThread(1, libvirt.DOMAIN_AFFECT_LIVE) })
	t.Refuses("delete an I/O thread twice", libvirt.ERR_INVALID_ARG, func() error { return d.Raw.DelIOThread(2, libvirt.DOMAIN_AFFECT_LIVE) })
	g.WriteAt("vda", 0, "served by an I/O thread")
	g.ExpectSameBoot(g.Tick())
})

// threads are the numbers of a domain's I/O threads.
func threads(t *steps.T, d *steps.Domain, on libvirt.DomainModificationImpact) string {
	var ids []uint
	for _, thread := range steps.Get(t, "ask for I/O threads", func() ([]libvirt.DomainIOThreadInfo, error) { return d.Raw.GetIOThreadInfo(on) }) {
		ids = append(ids, thread.IOThreadID)
	}
	slices.Sort(ids) // the emulator has no order of them
	return fmt.Sprint(ids)
}
