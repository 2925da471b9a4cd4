package migration

import (
	"fmt"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// The hosts of this check see locks of each other: they are containers on one kernel.
var _ = check.Register("O-MIG-LOCK", check.Spec{
	Asserts:  "The lock of a guest's image on shared storage goes with the guest, there and back, and is here again after a migration that failed",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.SharedFolder, matrix.Since(matrix.Libvirt, "1.0.2")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU),
	Hosts:    matrix.Hosts{Count: 2},
	Control: sabotage.CommandOn("a target whose lock manager locks files of its own", func(t *steps.T) string {
		t.On(1).Sh(`printf 'file_lockspace_dir = "/run/locks"\n' >>/etc/libvirt/qemu-lockd.conf`)
		return "true"
	}),
}, func(t *steps.T) {
	there := t.On(1)
	here, target := t.LockManager(), there.LockManager()
	image := t.Shared("disk.img")
	t.Sh(fmt.Sprintf("truncate -s %d %s", diskBytes, image))
	d, g := t.Started(domain.WithDisk(image, "raw"))
	mark := g.Mark()
	expectLockOf := func(holder, other *steps.LockManager, when string) {
		t.Expect(holder.Holds(image)).To(BeTrue(), "the guest's host has locked the image %s", when)
		t.Expect(other.Holds(image)).To(BeFalse(), "the other host has locked the image %s", when)
		got, _ := other.LockElsewhere(image)
		t.Expect(got).To(BeFalse(), "a third host gets the lock %s", when)
	}
	fails := func(m *steps.Migrating, codes ...libvirt.ErrorNumber) {
		m.FailsWith(codes...)
		g.ExpectStayed(there, mark)
		expectLockOf(here, target, "after a migration that failed")
	}
	m := d.BeginMigration(there, shared, steps.Slowly)
	m.WaitSent(0)
	expectLockOf(here, target, "while the guest migrates")
	t.Do("call the job off", d.Raw.AbortJob)
	fails(m, libvirt.ERR_OPERATION_ABORTED)
	m = d.BeginMigration(there, shared, steps.Slowly)
	m.WaitSent(0)
	m.There(there).Kill()
	fails(m, libvirt.ERR_OPERATION_FAILED, libvirt.ERR_INTERNAL_ERROR)

	d = d.MigrateTo(there, shared)
	d.Guest().ExpectGoesOn(mark)
	expectLockOf(target, here, "of a guest that moved")
	d = d.VirshMigrateTo(t, "--unsafe")
	d.Guest().ExpectGoesOn(mark)
	expectLockOf(here, target, "of a guest that came back")
	d.Destroy()
	t.Expect(here.Holds(image)).To(BeFalse(), "virtlockd holds the image of a guest that is off")
})
