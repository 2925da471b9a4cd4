package snapshots

import (
	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// What libvirt made for one disk it takes back when another disk fails (qemuSnapshotDiskCleanup).
var _ = check.Register("O-SNAP-WHOLE", check.Spec{
	Asserts:  "A snapshot of three disks of which one cannot be made changes none and leaves no file, of a running domain and of one that is off, and the next is made",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "0.10.0")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU, "security"),
	Control: sabotage.Command("files that are left of a snapshot that failed",
		"(while :; do for f in "+host.ScratchDir+"/*over-[xyz]; do test ! -e $f || ln -f $f $f.left; done; sleep 0.02; done) >/dev/null 2>&1 &"),
}, func(t *steps.T) {
	devs := []string{"vdx", "vdy", "vdz"}
	var opts []domain.Option
	images := map[string]string{}
	for _, dev := range devs {
		images[dev] = t.QCOW2(dev, one)
		opts = append(opts, domain.WithDisk(images[dev], "qcow2", domain.At(dev, "virtio")))
	}
	d, g := t.Started(opts...)
	over := func(name string) string { return t.Scratch("over-" + name) }
	folder, garbage := over("folder"), over("garbage")
	t.Sh("mkdir " + folder + " && head -c 65536 /dev/zero >" + garbage)
	files := func() string { return t.Sh("ls -d " + t.Scratch("*")) }
	fails := func(when string, flags libvirt.DomainSnapshotCreateFlags, last string) {
		there := files()
		xml := t.DescribeSnapshot("moment", steps.External("vdx", over("x")), steps.External("vdy", over("y")), steps.External("vdz", last))
		err := t.Try("snapshot three disks", func() error {
			_, err := d.Raw.CreateSnapshotXML(xml, diskOnly|flags)
			return err
		})
		t.Note("%s: %s", when, steps.Outcome(err))
		t.Expect(err).To(HaveOccurred(), "a snapshot whose third image cannot be made, %s", when)
		t.Expect(files()).To(Equal(there), "files after a snapshot that failed, %s", when)
		t.Expect(d.Snapshots(0)).To(BeEmpty(), "snapshots after one that failed, %s", when)
		for dev, image := range images {
			t.Expect(d.DiskChain(dev)).To(Equal([]string{image}), "images of %s after a snapshot that failed, %s", dev, when)
		}
	}
	fails("running, in no folder", 0, "/nowhere/over-z")
	fails("running, on a folder", 0, folder)
	for _, name := range []string{"x", "y"} {
		t.Sh(t.QEMUImg() + " create -q -f qcow2 -b " + images["vd"+name] + " -F qcow2 " + over(name))
	}
	kept := t.Images(over("x"), over("y")).WithoutOwners()
	fails("running, into images that are there, of which one is none", libvirt.DOMAIN_SNAPSHOT_CREATE_REUSE_EXT, garbage)
	t.Expect(t.Images(over("x"), over("y")).WithoutOwners().Since(kept)).To(BeEmpty(), "images that were to be used")
	t.Sh("rm " + over("x") + " " + over("y"))
	g.WriteAt("vda", 0, two)
	d.Destroy()
	fails("off, in no folder", 0, "/nowhere/over-z")
	fails("off, on a folder", 0, folder)
	d.Snapshot("moment", diskOnly, steps.External("vdx", over("x")), steps.External("vdy", over("y")), steps.External("vdz", over("z")))
	d.Start()
	t.Expect(d.Guest().ReadAt("vda", 0, len(two))).To(Equal(two), "what the guest wrote before")
})
