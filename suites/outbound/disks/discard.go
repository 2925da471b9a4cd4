package disks

import (
	"fmt"
	"strings"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/internal/layout"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// discarded is how much of its disk a guest gives back, zeroed how much it writes zeros to.
const (
	discarded = 4 << 20
	zeroed    = 16 << 10
)

var _ = check.Register("O-DISCARD", check.Spec{
	Asserts:  "The host has the room back that a guest discards or, where that is asked for, fills with zeros, and the guest reads zeros there alone",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "2.0.0")},
	Depends:  check.On(matrix.Linux, matrix.QEMU, matrix.Libvirt, "disk"),
	Control:  sabotage.Wrap(layout.Emulator, "an emulator that keeps what is discarded", `set -- "${@//\"detect-zeroes\":\"unmap\"/\"detect-zeroes\":\"on\"}"; exec $REAL "${@//\"discard\":\"unmap\"/\"discard\":\"ignore\"}"`),
}, func(t *steps.T) {
	full := func(name, format string) string {
		image := t.DiskImage(name, 0)
		t.Sh(fmt.Sprintf("head -c %d /dev/zero | tr '\\0' x >%s", 2*discarded, image))
		if format != "raw" {
			to := t.Scratch(name + "." + format)
			t.Sh(fmt.Sprintf("%s convert -q -O %s %s %s", t.QEMUImg(), format, image, to))
			image = to
		}
		return image
	}
	room := t.SizeOnDisk
	for _, format := range []string{"raw", "qcow2"} {
		gives, keeps := full("gives", format), full("keeps", format)
		_, g := t.Started(domain.WithDisk(gives, format, domain.Serial("gives"), domain.Discards), domain.WithDisk(keeps, format, domain.Serial("keeps")))
		of := func(serial string) string { disk, _ := g.Disk(serial); return disk.Name }
		before, kept := room(gives), room(keeps)
		g.Discard(of("gives"), 0, discarded)
		t.Expect(room(gives)).To(BeNumerically("<=", before-discarded), "room that the %s image takes after a discard", format)
		t.Expect(g.ReadAt(of("gives"), 0, 4096)).To(Equal(strings.Repeat("\x00", 4096)), "what was discarded")
		t.Expect(g.ReadAt(of("gives"), discarded, 4096)).To(Equal(strings.Repeat("x", 4096)), "what follows")
		g.WriteAt(of("gives"), 0, "written again")
		t.Expect(g.ReadAt(of("gives"), 0, 13)).To(Equal("written again"), "what was written after the discard")
		if format == "raw" { // of a cluster of qcow2 it would be a part
			before = room(gives)
			g.WriteAt(of("gives"), discarded, strings.Repeat("\x00", zeroed))
			t.Expect(room(gives)).To(BeNumerically("<=", before-zeroed), "room after zeros were written")
			t.Expect(g.ReadAt(of("gives"), discarded+zeroed, 4096)).To(Equal(strings.Repeat("x", 4096)), "what follows the zeros")
		}
		g.WriteAt(of("keeps"), discarded, strings.Repeat("\x00", zeroed))
		t.Expect(room(keeps)).To(BeNumerically(">=", kept), "room of a disk whose XML says nothing of this")
		g.Domain.Destroy()
	}
})
