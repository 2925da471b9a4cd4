package disks

import (
	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/l2"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// Where a BIOS is in a guest's memory, in bytes.
const biosAt, biosSize = 0xf0000, 64 * kib

var _ = check.Register("O-PEEK", check.Spec{
	Asserts:  "Who may peeks into a raw disk, not into one with a format, and into the memory of a running guest",
	Requires: kvm("0.9.10"),
	Depends:  check.On[string](append(stack, "firmware")...),
	Control:  sabotage.Alter("virDomainBlockPeek", word, "never "+word[6:]),
}, func(t *steps.T) {
	d, g := t.Started(disk("vdb", t.DiskImage("peeked", size), "raw"), disk("vdc", t.NewImage("peeked", "qcow2", size), "qcow2"))
	seen, _ := g.Disk("vdb")
	g.WriteAt(seen.Name, mib, word)
	block := func(dev string) func() ([]byte, error) {
		return func() ([]byte, error) { return d.Raw.BlockPeek(dev, mib, uint64(len(word)), 0) }
	}
	memory := func() ([]byte, error) { return d.Raw.MemoryPeek(biosAt, biosSize, libvirt.MEMORY_PHYSICAL) }
	only := func(call func() ([]byte, error)) func() error { return func() error { _, err := call(); return err } }
	t.Expect(string(steps.Get(t, "peek into disk", block("vdb")))).To(Equal(word), "what is seen of the disk")
	t.Refuses("peek into a disk with a format", libvirt.ERR_OPERATION_UNSUPPORTED, only(block("vdc")))
	t.Refuses("peek into a disk that is not there", libvirt.ERR_INVALID_ARG, only(block("vdx")))
	t.Refuses("peek into memory of no kind", libvirt.ERR_INVALID_ARG, func() error { _, err := d.Raw.MemoryPeek(biosAt, biosSize, 0); return err })
	bios := steps.Get(t, "peek into memory", memory)
	t.Expect(bios).To(HaveLen(biosSize), "bytes of memory")
	if t.Settings().Seen.Firmware == l2.BIOS {
		t.Expect(string(bios)).To(ContainSubstring("SeaBIOS"), "what is seen of the memory")
	}
	reader := t.ReaderSocket().Lookup(d.Name)
	t.Refuses("peek into memory as a reader", libvirt.ERR_OPERATION_DENIED, func() error {
		_, err := reader.Raw.MemoryPeek(biosAt, biosSize, libvirt.MEMORY_PHYSICAL)
		return err
	})
	d.Destroy()
	t.Refuses("peek into memory of a domain that is off", libvirt.ERR_OPERATION_INVALID, only(memory))
	t.Expect(string(steps.Get(t, "peek into disk of a domain that is off", block("vdb")))).To(Equal(word), "what is seen of the disk")
})
