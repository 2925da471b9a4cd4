package xen

import (
	"strings"
	"time"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// sayLimit bounds how long a guest's firmware may take to boot something that speaks.
const sayLimit = 4 * time.Minute

// machine is an HVM guest whose disk has a boot sector, and the log of its serial port.
// Its emulated machine has nothing that it does not need.
func machine(t *steps.T, g domain.Guest) (own domain.XL, serial string) {
	disk, serial := t.Scratch(g.Name+".img"), t.Scratch(g.Name+".serial")
	t.Put(disk, string(domain.BootSector(g.Token)))
	t.Sh("truncate -s 1M " + disk)
	return domain.XL{
		"type": "hvm", "kernel": nil, "ramdisk": nil, "extra": nil, "vga": "none", "vnc": 0, "boot": "c",
		"serial": "file:" + serial, "disk": []string{"format=raw,vdev=hda,access=rw,target=" + disk},
	}, serial
}

// says waits until a file of L1 has a text.
func says(t *steps.T, limit time.Duration, file, text string) {
	t.Until(limit, file+" has "+text, func() bool { return t.Holds(file, text) })
}

var _ = check.Register("IX-HVM", check.Spec{
	Asserts:  "A fully virtualised guest boots by BIOS from its disk, and its device model serves it",
	Requires: stack,
	Depends:  depends,
	Control:  ignores("create"),
}, func(t *steps.T) {
	g := t.NewGuest()
	own, serial := machine(t, g)
	guest := t.XlCreate(g, own)
	t.Expect(t.Sh("xenstore-read /local/domain/0/device-model/"+guest.DomID()+"/state")).To(Equal("running"), "what xenstore says of the device model")
	says(t, sayLimit, serial, g.Token)
	t.Xl("destroy " + g.Name)
	t.XlGone(guest, goneLimit)
	t.Until(goneLimit, "its device model has ended", func() bool { return !t.Run("pgrep -f '[n]ame " + g.Name + "'").OK() })
})

// The firmware finds nothing that it could boot and says so, which needs no guest for UEFI.
// The emulator of an emulated host (qemu 7.2) aborts meanwhile under 4.14 and 4.17, each time
// ("tcg_handle_interrupt: assertion failed"), and not under 4.20.
var _ = check.Register("IX-HVM-UEFI", check.Spec{
	Asserts:  "A fully virtualised guest runs UEFI firmware, which looks for what to boot",
	Requires: []matrix.Requirement{matrix.XenStack, matrix.SinceEmulated(matrix.XenHyp, "4.20")},
	Depends:  depends,
	Control:  ignores("create"),
}, func(t *steps.T) {
	g := t.NewGuest()
	own, serial := machine(t, g)
	own["bios"] = "ovmf"
	guest := t.XlCreate(g, own)
	t.Expect(guest.DomID()).NotTo(BeEmpty())
	says(t, sayLimit, serial, "BdsDxe:")
})

// drive gives a fully virtualised guest a CD drive, with a disc in it unless disc is empty.
func drive(t *steps.T, g domain.Guest, disc string) {
	own, serial := machine(t, g)
	drive := "format=raw,vdev=hdc,access=ro,devtype=cdrom"
	if disc != "" {
		drive += ",target=" + disc
	}
	own["disk"] = append(own["disk"].([]string), drive)
	t.XlCreate(g, own)
	says(t, sayLimit, serial, g.Token)
}

// insert puts a disc into the drive of a guest, and takes it out, as its device model sees
// it: xl hands the disc over open, without its name.
func insert(t *steps.T, g domain.Guest, disc string) {
	medium := func() string { return t.Xl("qemu-monitor-command " + g.Name + " 'info block'") }
	const none = "[not inserted]"
	before := medium()
	t.Xl("cd-insert " + g.Name + " hdc " + disc)
	t.Until(resizeLimit, "the device model has another disc than before: "+before, func() bool { return medium() != before && !strings.Contains(medium(), none) })
	t.Expect(t.Run("ls -l /proc/[0-9]*/fd | grep -F -- '-> "+disc+"'").OK()).To(BeTrue(), "somebody has %s open", disc)
	t.Xl("cd-eject " + g.Name + " hdc")
	t.Until(resizeLimit, "the device model has no disc", func() bool { return strings.Contains(medium(), none) })
}

var _ = check.Register("IX-CD", check.Spec{
	Asserts:  "A disc takes the place of another in a running guest's drive and is taken out, as its device model sees it",
	Requires: stack,
	Depends:  depends,
	Control:  ignores("cd-insert"),
}, func(t *steps.T) {
	g := t.NewGuest()
	drive(t, g, t.DiskImage("first", 1<<20))
	insert(t, g, t.DiskImage("second", 1<<20))
})

var _ = check.Register("IX-CD-EMPTY", check.Spec{
	Asserts:  "A drive that was empty from the start takes a disc while the guest runs, as its device model sees it",
	Requires: stack,
	Depends:  depends,
	Control:  ignores("cd-insert"),
}, func(t *steps.T) {
	g := t.NewGuest()
	drive(t, g, "")
	insert(t, g, t.DiskImage("disc", 1<<20))
})
