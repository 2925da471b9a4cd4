package save

import (
	"encoding/binary"
	"fmt"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/l2"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// The format of an image is a number in its header (virQEMUSaveFormat,
// qemu_saveimage.h). The programs of the others need not be there. A sparse one is QEMU's
// mapped-ram, which came with 9.0.
var formats = []struct {
	name   string
	number uint32
	since  string
	qemu   string
}{{"raw", 0, "11.2", "0"}, {"gzip", 1, "11.2", "0"}, {"sparse", 6, "11.2", "9.0"}}

var _ = check.Register("O-SAVE-P", check.Spec{
	Asserts:  "A guest saved and restored by parameters goes on, in the image format that was asked for",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "8.4.0")},
	Control:  sabotage.Guest(l2.ForgetWord),
}, func(t *steps.T) {
	g := t.Guest()
	d, conn := g.Domain, t.Connection().Raw
	params := libvirt.DomainSaveRestoreParams{FileSet: true, File: t.Scratch("image")}
	save := func() error { return d.Raw.SaveParams(params, 0) }
	if t.LacksOnXen("save by parameters", save) {
		return
	}
	mark := g.Mark()
	t.Do("save by parameters", save)
	d.ExpectOff(libvirt.DOMAIN_SHUTOFF_SAVED)
	t.Expect(formatOf(t, params.File)).To(BeZero(), "format of an image of which none was asked for")
	t.Do("restore by parameters", func() error { return conn.DomainRestoreParams(params, 0) })
	g.WaitReady()
	g.ExpectGoesOn(mark)
	for _, f := range formats {
		file := t.Scratch(f.name)
		switch {
		case !t.AtLeast(matrix.Libvirt, f.since):
			continue
		case !t.AtLeast(matrix.QEMU, f.qemu):
			t.Refuses("save in a format that the emulator lacks", libvirt.ERR_OPERATION_UNSUPPORTED, func() error {
				return d.Raw.SaveParams(libvirt.DomainSaveRestoreParams{FileSet: true, File: file, ImageFormatSet: true, ImageFormat: f.name}, 0)
			})
		default:
			t.VirshSays(fmt.Sprintf("save --image-format %s %s %s", f.name, d.Name, file))
			t.Expect(formatOf(t, file)).To(Equal(f.number), "format in the header of an image in format %s", f.name)
			t.VirshSays("restore " + file)
			g.WaitReady()
		}
		g.ExpectGoesOn(mark)
	}
})

// formatOf is the number of the format in an image's header: the fourth word after its
// magic.
func formatOf(t *steps.T, file string) uint32 {
	return binary.LittleEndian.Uint32([]byte(t.ReadFile(file, 16+3*4, 4)))
}
