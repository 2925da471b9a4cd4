package guest

import (
	"fmt"
	"image"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/fixtures/l2"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// inputLimit bounds how long a guest may take to show or to notice something, at scale 1.
const inputLimit = 30 * time.Second

var _ = check.Register("O-SCR", check.Spec{
	Asserts:  "A screenshot is an image of the guest's screen, and shows what the guest shows by then",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "0.9.2")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU),
	Control:  sabotage.Refuse("virDomainScreenshot", libvirt.ERR_INTERNAL_ERROR, libvirt.FROM_QEMU),
}, func(t *steps.T) {
	d, g := t.Started(domain.WithScreen)
	before := steps.Lit(picture(t, d))
	if t.Settings().Seen.Firmware == l2.BIOS { // UEFI's screen has no mode for text
		g.Show(strings.Repeat("virtmatrix ", 100))
		t.Until(inputLimit, "the screenshot shows what the guest wrote", func() bool { return steps.Lit(picture(t, d)) > before+1000 })
	}
	file := t.Scratch("screenshot")
	t.Expect(t.VirshSays("screenshot " + d.Name + " " + file)).To(ContainSubstring(file))
	t.Expect(t.Sh("head -c 4 "+file+" | od -An -tx1")).To(BeElementOf("89 50 4e 47", "50 36 0a 37", "50 36 0a 36"), "start of virsh's screenshot: PNG or PPM")
	t.Refuses("take a screenshot of a screen that is not there", libvirt.ERR_OPERATION_INVALID, func() error { return d.TryScreenshot(7) })
})

// picture reads a screenshot, which is of the size of a VGA.
func picture(t *steps.T, d *steps.Domain) image.Image {
	kind, content := d.Screenshot()
	img, err := steps.ReadPicture(kind, content)
	t.Expect(err).To(BeNil(), "reading a screenshot of %d bytes as %s", len(content), kind)
	size := img.Bounds().Size()
	t.Expect(size.X >= 640 && size.Y >= 400).To(BeTrue(), "size of the screen is that of a VGA: %s", size)
	return img
}

// Keys by their numbers in linux/input-event-codes.h.
const (
	keyA, keyLeftShift, keyF5 = 30, 42, 63
)

var _ = check.Register("O-KEY", check.Spec{
	Asserts:  "Keys that are sent to a guest are pressed in it, and a non-maskable interrupt reaches its kernel",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "0.9.3")},
	Depends:  check.On(matrix.Linux, matrix.Libvirt, matrix.QEMU, "machine", "accel"),
	Control:  sabotage.Swallow("virDomainSendKey"),
}, func(t *steps.T) {
	g := t.Guest()
	d := g.Domain
	pressed := func(keys ...int) {
		var want []string
		for _, key := range keys {
			want = append(want, fmt.Sprint(l2.KeyEvent, key))
		}
		t.Until(inputLimit, fmt.Sprintf("the guest tells of keys %v", keys), func() bool {
			told := g.Told()
			return !slices.ContainsFunc(want, func(w string) bool { return !slices.Contains(told, w) })
		})
	}
	t.Do("send keys", func() error {
		return d.Raw.SendKey(uint(libvirt.KEYCODE_SET_LINUX), 100, []uint{keyLeftShift, keyA}, 0)
	})
	pressed(keyLeftShift, keyA)
	t.VirshSays("send-key " + d.Name + " KEY_F5")
	pressed(keyF5)
	tick := g.Tick()
	t.Do("inject a non-maskable interrupt", func() error { return d.Raw.InjectNMI(0) })
	t.Until(inputLimit, "the guest's kernel tells of the interrupt", func() bool { return strings.Contains(g.Console(), "NMI received") })
	g.ExpectSameBoot(tick)
})
