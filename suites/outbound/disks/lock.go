package disks

import (
	"syscall"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

var _ = check.Register("O-LOCK", check.Spec{
	Asserts:  "virtlockd locks the images of a guest for as long as it runs: what another host has locked is refused, and nobody else gets the lock",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "1.0.2")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU),
	Control:  sabotage.Command("a lock manager that locks files of its own, which no other host sees", `printf 'file_lockspace_dir = "/run/locks"\n' >>/etc/libvirt/qemu-lockd.conf`),
}, func(t *steps.T) {
	locks, image := t.LockManager(), t.DiskImage("locked", steps.SharedDiskBytes)
	d := t.Define(domain.WithDisk(image, "raw"))
	got, release := locks.LockElsewhere(image)
	t.Expect(got).To(BeTrue(), "another host locks an image that nobody uses")
	t.Refuses("start a guest whose image another host has locked", libvirt.ERR_RESOURCE_BUSY, d.Raw.Create)
	t.Expect(t.HasProcess(d.Name)).To(BeFalse(), "the refused guest's emulator runs")
	release()
	d.Start()
	g := d.Guest()
	mark := g.Mark()
	expectLocked := func(when string) {
		t.Expect(locks.Holds(image)).To(BeTrue(), "virtlockd holds the image %s", when)
		got, _ := locks.LockElsewhere(image)
		t.Expect(got).To(BeFalse(), "another host gets the lock %s", when)
	}
	expectLocked("of a guest that runs")

	d.Suspend()
	got, release = locks.LockElsewhere(image)
	t.Expect(got).To(BeTrue(), "another host gets the lock of a paused guest's image")
	t.Refuses("resume a guest whose image another host has locked", libvirt.ERR_RESOURCE_BUSY, d.Raw.Resume)
	release()
	d.Resume()
	expectLocked("of a guest that was resumed")

	t.RestartManager(syscall.SIGKILL)
	d = d.Again()
	g.Domain = d
	expectLocked("of a guest whose daemon was killed and is there again")
	file := t.Scratch("saved")
	d.Save(file)
	got, release = locks.LockElsewhere(image)
	t.Expect(got).To(BeTrue(), "another host gets the lock of a saved guest's image")
	t.Refuses("restore a guest whose image another host has locked", libvirt.ERR_RESOURCE_BUSY, func() error { return t.Connection().Raw.DomainRestore(file) })
	release()
	t.Connection().Restore(file)
	d.Guest().ExpectGoesOn(mark)
	expectLocked("of a guest that was restored")
	d.Destroy()
	t.Expect(locks.Holds(image)).To(BeFalse(), "virtlockd holds the image of a guest that is off")
})

// Packages that are upgraded have the daemon execute its new program and keep its locks
// (ExecReload of virtlockd.service; Debian's scripts call it).
var _ = check.Register("O-LOCK-RELOAD", check.Spec{
	Asserts:  "Guests run on, and their images stay locked, when virtlockd executes its program anew, as its upgrade has it do",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "1.0.2")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU),
	Control:  sabotage.Wrap("virtlockd", "a virtlockd that forgets its locks", `rm -f /run/virtlockd-restart-exec.json; exec -a "$0" $REAL "$@"`),
}, func(t *steps.T) {
	locks, image := t.LockManager(), t.DiskImage("locked", steps.SharedDiskBytes)
	d, g := t.Started(domain.WithDisk(image, "raw"))
	mark := g.Mark()
	there := locks.Reload()
	t.Expect(d.State()).To(Equal(libvirt.DOMAIN_RUNNING), "state of the guest once virtlockd executed its program anew")
	t.Expect(there).To(BeTrue(), "virtlockd is there")
	g.ExpectGoesOn(mark)
	t.Expect(locks.Holds(image)).To(BeTrue(), "virtlockd holds the image")

	d.Suspend()
	t.Expect(locks.Holds(image)).To(BeFalse(), "virtlockd holds the image of a paused guest")
	d.Resume()
	t.Expect(locks.Holds(image)).To(BeTrue(), "virtlockd holds the image of a guest that was resumed")

	overlay := t.Scratch("overlay")
	d.Snapshot("overlay", libvirt.DOMAIN_SNAPSHOT_CREATE_DISK_ONLY|libvirt.DOMAIN_SNAPSHOT_CREATE_NO_METADATA, steps.External(t.Settings().DiskName, overlay))
	t.Expect(locks.Holds(overlay)).To(BeTrue(), "virtlockd holds the image on top")
	g.ExpectGoesOn(mark)
	d.Destroy()
	t.Expect(locks.Holds(image)).To(BeFalse(), "virtlockd holds the image of a guest that is off")
	t.Expect(locks.Holds(overlay)).To(BeFalse(), "virtlockd holds the image on top of a guest that is off")
})
