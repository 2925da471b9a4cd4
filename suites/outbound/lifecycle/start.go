package lifecycle

import (
	"fmt"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/fixtures/l2"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// The guest is asked what it sees: a setting that a stack took and did not carry out
// shows there, and nowhere else.
var _ = check.Register("O-START", check.Spec{
	Asserts:  "A domain starts, is reported as running, and its guest speaks",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "0.8.2")},
	Control:  sabotage.Swallow("virDomainCreateWithFlags"),
}, func(t *steps.T) {
	var opts []domain.Option
	var image string
	if t.Kind() == matrix.KVM {
		image = t.DiskImage("disk", diskSize)
		opts = append(opts, domain.WithDisk(image, "raw"))
	}
	d, g := t.Started(opts...)
	t.Expect(d.State()).To(Equal(libvirt.DOMAIN_RUNNING))
	t.Expect(t.HasProcess(d.Name)).To(BeTrue(), "the hypervisor runs the guest")
	said := g.WaitReady()
	t.Expect(said.Kernel).To(Equal(t.KernelRelease()))
	t.Expect(said.CPUs).To(Equal(1))
	t.Expect(said.MemoryKB).To(And(BeNumerically(">", t.GuestMemoryKB()/2), BeNumerically("<=", t.GuestMemoryKB())))
	if t.Kind() == matrix.Xen {
		t.Expect(said.Hypervisor).To(Equal("xen"))
	} else {
		seesSettings(t, said)
		holdsDisk(t, g, image)
		isConfined(t, d)
	}
	g.ExpectSameBoot(g.Tick())
	t.Refuses("start domain twice", libvirt.ERR_OPERATION_INVALID, func() error { return d.Raw.CreateWithFlags(0) })
	t.Expect(t.VirshSays("list --name")).To(ContainSubstring(d.Name))
})

// diskSize is the size of the guest's disk in bytes.
const diskSize = 1 << 20

// seesSettings asserts that the guest has what the cell's settings say.
func seesSettings(t *steps.T, said l2.Facts) {
	want := t.Settings().Seen
	t.Expect(said.Machine).To(Equal(want.Machine), "machine that the guest sees")
	t.Expect(said.Firmware).To(Equal(want.Firmware), "firmware that started the guest")
	t.Expect(said.Hypervisor).To(Equal(want.Hypervisor), "hypervisor that the guest sees")
	t.Expect(said.Disks).To(HaveLen(1), "disks that the guest sees")
	disk := said.Disks[0]
	t.Expect([]any{disk.Name, disk.Driver, disk.Bytes}).To(Equal([]any{t.Settings().DiskName, want.DiskDriver, int64(diskSize)}), "name, driver and size of the guest's disk")
}

// holdsDisk asserts that what the guest writes to its disk is in the disk's image.
func holdsDisk(t *steps.T, g *steps.Guest, image string) {
	word := "written by " + g.Token
	disk := t.Settings().DiskName
	g.WriteAt(disk, 0, word)
	t.Expect(t.Sh(fmt.Sprintf("head -c %d %s", len(word), image))).To(Equal(word), "start of the image that the guest wrote to")
	t.Expect(g.ReadAt(disk, 0, len(word))).To(Equal(word), "what the guest reads from its disk")
}

// isConfined asserts that the emulator runs under a profile made for its domain, and
// that the API says so; or that there is none.
func isConfined(t *steps.T, d *steps.Domain) {
	labels := steps.Get(t, "ask for security labels", d.Raw.GetSecurityLabelList)
	profile := libvirt.SecurityLabel{Label: "libvirt-" + d.UUID(), Enforcing: true}
	if t.Security() == "none" {
		t.Expect(d.Confinement()).To(BeEmpty(), "profile of the emulator")
		t.Expect(labels).NotTo(ContainElement(profile))
		return
	}
	t.Expect(d.Confinement()).To(Equal(profile.Label+" (enforce)"), "profile of the emulator")
	t.Expect(labels).To(ContainElement(profile))
}
