package lifecycle

import (
	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// attempts are how often a start fails before it may succeed.
const attempts = 3

// Each part of a start that fails leaves behind what the parts before it made; users
// reported that a later start failed of that.
var _ = check.Register("O-LATE", check.Spec{
	Asserts:  "A start that failed leaves nothing behind, and succeeds once what was missing is there",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "0.9.4")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU, matrix.XenHyp),
	Control:  sabotage.Swallow("virDomainCreateWithFlags"),
}, func(t *steps.T) {
	disk, kernel := t.Scratch("late.img"), t.Scratch("late.vmlinuz")
	g := t.NewGuest()
	present := g.Kernel
	g.Kernel = kernel
	d := t.DefineXML(g, t.Marshal(t.Describe(g, domain.WithDisk(disk, "raw"))))
	pid := t.DaemonPID()
	fails := func(missing string) {
		for range attempts {
			err := t.Try("start domain", func() error { return d.Raw.CreateWithFlags(0) })
			t.Expect(err).To(HaveOccurred(), "start without %s", missing)
			t.Expect(d.State()).To(Equal(libvirt.DOMAIN_SHUTOFF), "state after a start without %s", missing)
			t.Expect(t.HasProcess(d.Name)).To(BeFalse(), "an emulator is left of a start without %s", missing)
		}
	}
	fails("disk and kernel")
	t.Sh("truncate -s 1M " + disk)
	fails("kernel")
	t.Sh("cp " + present + " " + kernel + " && chmod 644 " + kernel)
	d.Start()
	d.Guest()
	t.Expect(t.DaemonPID()).To(Equal(pid), "process of the daemon")
})
