package qemu

import (
	"fmt"
	"image"
	"strings"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

var _ = check.Register("IQ-SCR", check.Spec{
	Asserts:  "Screenshots and a VNC client show what the guest shows, and the same",
	Requires: []matrix.Requirement{matrix.KVMStack},
	Depends:  check.On(matrix.QEMU),
	Control:  sabotage.SwallowQMP("screendump"),
}, func(t *steps.T) {
	socket := t.Scratch("vnc")
	q, g := t.StartGuest("-device", "VGA", "-vnc", "unix:"+socket)
	formats := []string{"image/x-portable-pixmap"}
	if t.AtLeast(matrix.QEMU, "7.1") {
		formats = append(formats, "image/png")
	}
	dark := steps.Lit(screenshot(t, q, formats[0]))
	g.Show(strings.Repeat("virtmatrix ", 100))
	for _, format := range formats {
		var dumped image.Image
		t.Until(slowEnd, "the screenshot shows what the guest wrote", func() bool {
			dumped = screenshot(t, q, format)
			return steps.Lit(dumped) > dark+1000
		})
		name, shown := t.VNC(socket)
		t.Expect(name).To(HavePrefix("QEMU"), "the name of the VNC server")
		t.Expect(shown.Bounds()).To(Equal(dumped.Bounds()), "what VNC shows, and the screenshot as %s", format)
		// The cursor blinks.
		t.Expect(differences(shown, dumped)).To(BeNumerically("<", 200), "points in which VNC and the screenshot as %s differ", format)
	}
	q.Quit()
})

// screenshot has the emulator write a screenshot, and reads it.
func screenshot(t *steps.T, q *steps.QEMU, format string) image.Image {
	file := t.Scratch("screen")
	args := map[string]any{"filename": file}
	if format == "image/png" {
		args["format"] = "png"
	}
	q.Do("screendump", args, nil)
	written := t.Run("cat " + file)
	t.Expect(written.OK()).To(BeTrue(), "the screenshot is there: %.200s", written.Stderr)
	picture, err := steps.ReadPicture(format, written.Stdout)
	t.Expect(err).To(BeNil(), "reading a screenshot of %d bytes as %s", len(written.Stdout), format)
	return picture
}

// differences counts the points in which pictures of one size differ.
func differences(a, b image.Image) (n int) {
	for y := range a.Bounds().Dy() {
		for x := range a.Bounds().Dx() {
			r, g, bl, _ := a.At(x, y).RGBA()
			if r2, g2, b2, _ := b.At(x, y).RGBA(); r != r2 || g != g2 || bl != b2 {
				n++
			}
		}
	}
	return n
}

// spiceHello is what a client of SPICE says first: it wants the main channel
// (spice-protocol, spice/protocol.h: SpiceLinkHeader, SpiceLinkMess).
const spiceHello = `REDQ\2\0\0\0\2\0\0\0\22\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0\0\22\0\0\0`

var _ = check.Register("IQ-DISP", check.Spec{
	Asserts:  "A guest's display is none, a VNC server or, where it is built in, a SPICE server that greets its client",
	Requires: []matrix.Requirement{matrix.KVMStack},
	Depends:  check.On(matrix.QEMU),
	Control:  sabotage.SwallowQMP("query-vnc"),
}, func(t *steps.T) {
	t.Note("displays: %s", strings.Join(strings.Fields(t.Sh(t.Emulator()+" -display help 2>&1 | tail -n +2")), " "))
	for _, port := range []string{"-vnc 127.0.0.1:17", "-vnc unix:" + t.Scratch("vnc")} {
		q := t.StartQEMU(append([]string{"-machine", t.Machine(), "-device", "VGA"}, strings.Fields(port)...)...)
		var vnc struct {
			Enabled       bool
			Host, Service string
		}
		q.Do("query-vnc", nil, &vnc)
		t.Expect(vnc.Enabled).To(BeTrue(), "the emulator says that VNC is on with %s", port)
		if vnc.Host == "127.0.0.1" {
			t.Expect(greets(t, vnc.Service, "")).To(HavePrefix("RFB 003"), "the greeting of the VNC server")
		}
		q.Quit()
	}
	if !t.Run(t.Emulator() + " -spice help 2>&1 | grep -q disable-ticketing").OK() {
		t.Note("SPICE is not built in")
		return
	}
	q := t.StartQEMU("-machine", t.Machine(), "-device", "VGA", "-spice", "addr=127.0.0.1,port=49303,disable-ticketing=on")
	var spice struct {
		Enabled bool
		Port    int
	}
	q.Do("query-spice", nil, &spice)
	t.Expect(spice.Enabled).To(BeTrue(), "the emulator says that SPICE is on")
	t.Expect(greets(t, fmt.Sprint(spice.Port), spiceHello)).To(HavePrefix("REDQ"), "the greeting of the SPICE server")
	q.Quit()
})

// greets is what a server at a port says first, after a client has said hello.
func greets(t *steps.T, port, hello string) string {
	return t.Sh(fmt.Sprintf("bash -c 'exec 3<>/dev/tcp/127.0.0.1/%s && printf \"%s\" >&3 && timeout 20 head -c 7 <&3 | tr -d \"\\0\"'", port, hello))
}
