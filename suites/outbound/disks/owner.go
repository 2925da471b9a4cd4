package disks

import (
	"time"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// unplugLimit bounds how long a guest may take to let a disk go, at scale 1.
const unplugLimit = 10 * time.Second

var _ = check.Register("O-SEC-DAC", check.Spec{
	Asserts:  "Images belong to the emulator's user while it has them, and go back after a detach, a save, an end and a start that failed",
	Requires: kvm("0.9.4"),
	Control:  sabotage.Configure("dynamic_ownership = 0"),
}, func(t *steps.T) {
	folder := t.Scratch("owned")
	image, plugged, broken := folder+"/image", folder+"/plugged", folder+"/broken"
	t.Sh("mkdir " + folder + " && cd " + folder + " && truncate -s 4M image plugged broken && chown daemon:bin * && chmod 666 *")
	back := "daemon:bin"
	if t.Contained() && !t.Cell.BundlesQEMU() {
		back = "root:root" // libvirt may not note there whose files they were
	}
	owner := func(path string) string { return t.Images(path)[path].Owner }

	d, g := t.Started(disk("vdb", image, "raw"), domain.WithRootPorts(4))
	emulator := d.EmulatorOwner()
	t.Expect(owner(image)).To(Equal(emulator), "owner of the image of a running guest")
	t.Expect(owner(plugged)).To(Equal("daemon:bin"), "owner of an image that no guest has")
	hot := domain.NewDisk(plugged, "raw", domain.At("vdz", "virtio"), domain.Serial("vdz"))
	d.Attach(hot)
	t.Expect(owner(plugged)).To(Equal(emulator), "owner of an attached image")
	g.WaitDisk("vdz", unplugLimit)
	d.Detach(hot)
	g.WaitNoDisk("vdz", unplugLimit)
	t.Until(unplugLimit, "the detached image is "+back+"'s", func() bool { return owner(plugged) == back })
	state := t.Scratch("state")
	d.Save(state)
	t.Expect(owner(image)).To(Equal(back), "owner of the image of a saved guest")
	t.Connection().Restore(state)
	t.Expect(owner(image)).To(Equal(emulator), "owner of the image of a restored guest")
	d.Destroy()
	t.Expect(owner(image)).To(Equal(back), "owner of the image of a guest that has ended")

	// Its emulator ends by itself: the second image is none of qcow2.
	failing := t.Define(disk("vdb", image, "raw"), disk("vdc", broken, "qcow2"))
	t.Expect(t.Try("start domain with a broken image", failing.Raw.Create)).To(HaveOccurred())
	t.Expect([]string{owner(image), owner(broken)}).To(HaveEach(back), "owners of the images of a guest that did not start")
})
