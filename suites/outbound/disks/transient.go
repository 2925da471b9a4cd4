package disks

import (
	"syscall"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

var _ = check.Register("O-DISK-TRANS", check.Spec{
	Asserts:  "What a guest writes to a transient disk is gone at its end, also when libvirt did not see that end, and its image never changes",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "6.9.0")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU),
	Control:  sabotage.Command("images on top that stay", "(while :; do for f in "+host.ScratchDir+"/*TRANSIENT*[!t]; do ln $f $f.left; done; sleep 0.1; done) >/dev/null 2>&1 &"),
}, func(t *steps.T) {
	image := t.NewImage("base", "qcow2", steps.SharedDiskBytes)
	d := t.Define(domain.WithDisk(image, "qcow2", domain.Transient))
	files := func() string { return t.Sh("ls -d " + t.Scratch("*")) }
	before, there := t.Images(image).WithoutOwners(), files()
	disk := t.Settings().DiskName
	expectGone := func(when string) {
		t.Expect(t.Images(image).WithoutOwners().Since(before)).To(BeEmpty(), "changes of the image %s", when)
		t.Expect(files()).To(Equal(there), "files %s", when)
	}
	writes := func() *steps.Guest {
		d.Start()
		g := d.Guest()
		t.Expect(g.ReadAt(disk, 0, 7)).NotTo(Equal("written"), "what the guest of before wrote is still there")
		g.WriteAt(disk, 0, "written")
		return g
	}
	writes()
	t.Refuses("save a guest with a transient disk", libvirt.ERR_OPERATION_INVALID, func() error { return d.Raw.Save(t.Scratch("saved")) })
	t.RestartManager(syscall.SIGKILL)
	d = d.Again()
	d.BlockInfo(disk) // is answered once the daemon has the guest again
	t.Expect(d.State()).To(Equal(libvirt.DOMAIN_RUNNING), "state after the daemon was killed")
	d.Destroy()
	expectGone("of a guest that was destroyed")

	writes().PowerOff()
	d.WaitFor(libvirt.DOMAIN_SHUTOFF)
	expectGone("of a guest that powered off")

	writes()
	t.Sh("kill -STOP " + t.DaemonPID())
	d.Kill()
	t.RestartManager(syscall.SIGKILL)
	d = d.Again()
	d.WaitFor(libvirt.DOMAIN_SHUTOFF)
	writes()
	d.Destroy()
	expectGone("after a guest whose end libvirt did not see")
})
