package firmware

import (
	"strings"
	"time"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/internal/layout"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// bootLimit bounds how long a BIOS may take to boot something that speaks, at scale 1.
const bootLimit = time.Minute

var _ = check.Register("O-BOOT-ORDER", check.Spec{
	Asserts:  "A guest's BIOS boots from the first device of its XML's order that can be booted from",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "0.8.8")},
	Depends:  check.On(matrix.QEMU, matrix.Libvirt, "machine"),
	Control:  sabotage.Wrap(layout.Emulator, "another order", `set -- "${@//bootindex=1/bootindex=9}"; exec $REAL "${@//\"bootindex\":1/\"bootindex\":9}"`),
}, func(t *steps.T) {
	disk := func(word string) string {
		image := t.Scratch(word)
		t.Put(image, string(domain.BootSector("from "+word+".")))
		t.Sh("truncate -s 1M " + image)
		return image
	}
	one, two := disk("one"), disk("two")
	at := func(image, dev, bus string, order uint, more ...domain.DiskOption) domain.Option {
		return domain.WithDisk(image, "raw", append(more, domain.At(dev, bus), domain.BootOrder(order))...)
	}
	// The order of the devices is another one than that of booting. A BIOS tries one hard disk only.
	for _, try := range []struct {
		boots string
		from  []domain.Option
	}{
		{"one", []domain.Option{at(two, "vda", "virtio", 2), at(one, "vdb", "virtio", 1)}},
		{"two", []domain.Option{at(one, "vda", "virtio", 2), at(two, "vdb", "virtio", 1)}},
		{"two", []domain.Option{at(two, "vda", "virtio", 2), at("", "sda", "sata", 1, domain.CDROM)}},
	} {
		who := t.NewGuest()
		said := t.Scratch(who.Name)
		d := t.DefineXML(who, t.Marshal(t.Describe(who, append(try.from, domain.WithoutKernel(), domain.LoggedAt(said))...)))
		d.Start()
		words := ""
		t.Until(bootLimit, "the guest boots", func() bool { words = t.Sh("cat " + said); return strings.HasSuffix(words, ".") })
		t.Expect(words).To(Equal("from "+try.boots+"."), "what booted")
		d.Destroy()
	}
})
