package devices

import (
	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/internal/layout"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// lastingMiB is how much memory lasts, pmem its disk in a guest.
const (
	lastingMiB = 64
	pmem       = "pmem0"
)

var _ = check.Register("O-NVDIMM", check.Spec{
	Asserts:  "Memory that lasts is a file of the host: what a guest writes there is in it, and is there after a save and after another start",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "3.2.0")},
	Depends:  check.On(matrix.Linux, matrix.QEMU, matrix.Libvirt, "machine"),
	Control:  sabotage.Wrap(layout.Emulator, "an emulator whose lasting memory is its own", `set -- "${@//share=yes/share=no}"; exec $REAL "${@//\"share\":true/\"share\":false}"`),
}, func(t *steps.T) {
	file := t.DiskImage("lasting", lastingMiB<<20)
	d, g := t.Started(domain.WithSize(domain.Size{MemoryMB: 256, MaxMemoryMB: 1024}), domain.WithLastingMemory(file, lastingMiB))
	g.LoadModules()
	mark := g.Mark()
	g.WriteAt(pmem, 1<<20, "written by "+g.Token)
	inFile := func() string { return t.ReadFile(file, 1<<20, len("written by "+g.Token)) }
	t.Expect(inFile()).To(Equal("written by "+g.Token), "what is in the file while the guest runs")
	saved := t.Scratch("saved")
	d.Save(saved)
	t.Connection().Restore(saved)
	g = d.Guest()
	g.ExpectGoesOn(mark)
	t.Expect(g.ReadAt(pmem, 1<<20, 7)).To(Equal("written"), "what the restored guest reads")
	d.Destroy()
	t.Expect(inFile()).To(Equal("written by "+g.Token), "what is in the file after the guest's end")
	d.Start()
	g = d.Guest()
	g.LoadModules()
	t.Expect(g.ReadAt(pmem, 1<<20, len("written by "+g.Token))).To(Equal("written by "+g.Token), "what the guest reads after another start")
})
