package devices

import (
	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/internal/layout"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// sharedMiB is how much memory two guests have in common, in MiB.
const sharedMiB = 1

var _ = check.Register("O-SHMEM", check.Spec{
	Asserts:  "Guests with a shared memory of one name read there what the others wrote, also when one of them has gone, and no other user of the host does",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "3.0.0")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU),
	Control:  sabotage.Wrap(layout.Emulator, "an emulator that shares no memory", `set -- "${@//share=yes/share=no}"; exec $REAL "${@//\"share\":true/\"share\":false}"`),
}, func(t *steps.T) {
	name := "shared-" + t.NewGuest().Name
	file := "/dev/shm/" + name
	t.RemoveAfter(file) // it stays when its guests have gone
	d, g := t.Started(domain.WithSharedMemory(name, sharedMiB))
	other, peer := t.Started(domain.WithSharedMemory(name, sharedMiB))
	g.WriteAt(steps.SharedMemory, 4096, "written by "+g.Token)
	t.Expect(peer.ReadAt(steps.SharedMemory, 4096, len("written by "+g.Token))).To(Equal("written by "+g.Token), "what the other guest reads")
	t.Expect(t.ReadFile(file, 4096, len("written by "+g.Token))).To(Equal("written by "+g.Token), "what the host reads")
	open := t.Images(file).OpenToOthers()
	t.Refuses("save a guest with shared memory", libvirt.ERR_OPERATION_INVALID, func() error { return d.Raw.Save(t.Scratch("saved")) })
	d.Destroy()
	t.Expect(peer.ReadAt(steps.SharedMemory, 4096, 7)).To(Equal("written"), "what the guest that is left reads")
	other.Destroy()
	t.Expect(open).To(BeEmpty(), "memory that others may use")
})
