package qemu

import (
	"fmt"
	"slices"
	"strings"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/internal/layout"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// format is a way to write an image. Those that no tool checks have no structure to check.
type format struct {
	driver, options string
	unchecked       bool
}

// formats are those that qemu-img writes and users keep.
var formats = []format{
	{driver: "raw", unchecked: true},
	{driver: "qcow2"},
	{driver: "qcow2", options: "compat=0.10"},
	{driver: "qcow2", options: "extended_l2=on,cluster_size=128k"},
	{driver: "qcow2", options: "encrypt.format=luks,encrypt.key-secret=key,encrypt.iter-time=10"},
	{driver: "vmdk"},
	{driver: "vmdk", options: "subformat=streamOptimized"},
	{driver: "vdi"},
	{driver: "vpc", options: "force_size=on", unchecked: true},
	{driver: "vhdx"},
	{driver: "qed"},
	{driver: "luks", options: "key-secret=key,iter-time=10", unchecked: true},
}

// spoilVDI spoils the last byte of what is converted to VDI.
const spoilVDI = `$REAL "$@"; code=$?; f="${@: -1}"
case "$*" in *"-O vdi"*) printf X | dd of="$f" bs=1 seek=$(($(stat -c %s "$f") - 1)) conv=notrunc status=none;; esac; exit $code`

var _ = check.Register("IQ-BLK", check.Spec{
	Asserts:  "Images of each format hold what was converted to them, are sound, and hold it still when they were written to",
	Requires: []matrix.Requirement{matrix.KVMStack},
	Depends:  check.On(matrix.QEMU),
	Control:  sabotage.Wrap(layout.QEMUImg, "a qemu-img that spoils a VDI", spoilVDI),
}, func(t *steps.T) {
	content := t.Scratch("content")
	imagesHold(t, t, content, func(f format, i int) string { return t.Scratch(fmt.Sprintf("%d.%s", i, f.driver)) })
})

// Users keep images for longer than emulators, and go back when a new one is bad.
var _ = check.Register("IQ-BLK-X", check.Spec{
	Asserts:  "Images of each format that the emulator before wrote are read by this one, and the other way round",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.SharedFolder},
	Hosts:    matrix.Hosts{Count: 2, Earlier: []matrix.Component{matrix.Libvirt, matrix.QEMU}},
	Control:  sabotage.Wrap(layout.QEMUImg, "a qemu-img that spoils a VDI", spoilVDI),
}, func(t *steps.T) {
	content := t.Shared("content")
	for _, way := range [][2]*steps.T{{t.On(1), t}, {t, t.On(1)}} {
		imagesHold(way[0], way[1], content, func(f format, i int) string { return t.Shared(fmt.Sprintf("%d.%s", i, f.driver)) })
	}
})

// imagesHold has one host write the content to images of all formats, and another one
// read them, write a text, and read again.
func imagesHold(writer, reader *steps.T, content string, name func(format, int) string) {
	const bytes = steps.SharedDiskBytes
	writer.Sh(fmt.Sprintf("{ head -c 1M /dev/urandom; head -c %d /dev/zero; head -c 64K /dev/urandom; printf %%s %q; } >%s", bytes-mib-64<<10-len(one), one, content))
	for i, f := range formats {
		image := name(f, i)
		if why := write(writer, f, content, image); why != "" {
			writer.Note("%s %s is not written by %s: %s", f.driver, f.options, writer.Version(matrix.QEMU), why)
			continue
		}
		info := reader.ImageInfo(image)
		reader.Expect(fmt.Sprint(info.Format, " ", info.Bytes)).To(Equal(fmt.Sprint(f.driver, " ", bytes)), "what qemu-img says of the image of %s %s", f.driver, f.options)
		holds(reader, f, image, content)
		if strings.Contains(f.options, "streamOptimized") {
			continue // nothing can be written to it
		}
		changed := content + ".changed"
		reader.RemoveAfter(changed)
		reader.Sh(fmt.Sprintf("cp %s %s && printf 'xxxxxxxx' | dd of=%s bs=1 seek=%d conv=notrunc status=none", content, changed, changed, 3*mib))
		reader.Sh(fmt.Sprintf("%s %s --image-opts %s -c 'write -P 0x78 %d 8'", reader.Program("qemu-io"), key, f.node(image), 3*mib))
		holds(writer, f, image, changed)
	}
}

// key is the option of all programs that has the key of encrypted images.
const key = "--object secret,id=key,data=virtmatrix"

// mayLack are what the emulators of the matrix do not all write.
var mayLack = []string{"extended_l2=on,cluster_size=128k"}

// write converts the content to an image. It returns why that was refused to whoever may
// lack the format.
func write(t *steps.T, f format, content, image string) (why string) {
	options := ""
	if f.options != "" {
		options = "-o " + f.options
	}
	res := t.Run(fmt.Sprintf("%s convert %s -f raw -O %s %s %s %s", t.QEMUImg(), key, f.driver, options, content, image))
	if !res.OK() {
		t.Expect(mayLack).To(ContainElement(f.options), "converting to %s %s: %s", f.driver, f.options, res.Text())
	}
	return strings.TrimSpace(map[bool]string{false: res.Text()}[res.OK()])
}

// node are the options that open an image.
func (f format) node(image string) string {
	opts := []string{"driver=" + f.driver, "file.driver=file", "file.filename=" + image}
	for _, o := range strings.Split(f.options, ",") {
		if secret := strings.HasSuffix(o, "key-secret=key"); secret || o == "encrypt.format=luks" {
			opts = append(opts, o)
		}
	}
	return strings.Join(slices.Compact(opts), ",")
}

// holds asserts that an image is sound and holds the content.
func holds(t *steps.T, f format, image, content string) {
	what := f.driver + " " + f.options
	if !f.unchecked {
		t.Sh(fmt.Sprintf("%s check -q %s --image-opts %s", t.QEMUImg(), key, f.node(image)))
	}
	back := t.Scratch("back")
	t.Sh(fmt.Sprintf("%s convert %s --image-opts %s -O raw %s", t.QEMUImg(), key, f.node(image), back))
	differs := t.Run("cmp " + content + " " + back)
	t.Expect(differs.OK()).To(BeTrue(), "the image of %s holds what was written: %s", what, differs.Text())
	t.Sh(fmt.Sprintf("%s compare -q %s --image-opts %s driver=raw,file.driver=file,file.filename=%s", t.QEMUImg(), key, f.node(image), content))
}
