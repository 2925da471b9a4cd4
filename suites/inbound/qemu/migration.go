package qemu

import (
	"fmt"
	"strings"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/l2"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// guestRuns are the axes that a guest of the emulator itself runs on.
var guestRuns = check.On(matrix.Linux, matrix.QEMU, "machine", "accel")

// A running guest is migrated to a file, and another emulator is started from it. The
// guest must not notice more than a pause.
var _ = check.Register("IQ-MIG-FILE", check.Spec{
	Asserts:  "A guest migrated to a file and back goes on where it was",
	Requires: []matrix.Requirement{matrix.KVMStack},
	Depends:  guestRuns,
	Control:  sabotage.Guest(l2.ForgetWord),
}, func(t *steps.T) {
	file := t.Scratch("state")
	first, g := t.StartGuest()
	before := g.Mark()
	first.Migrate("exec:cat > " + host.Quote(file))
	first.Quit()
	t.Note("state file: %s bytes", t.Sh("stat -c %s "+file))
	second := t.StartIncoming(first, "exec:cat "+host.Quote(file))
	second.TakeOver(g).ExpectGoesOn(before)
	second.Quit()
})

var _ = check.Register("IQ-MIG-SOCK", check.Spec{
	Asserts:  "A running guest goes from emulator to emulator of one version over a Unix socket, over TCP, and over TCP with several connections",
	Requires: []matrix.Requirement{matrix.KVMStack},
	Depends:  guestRuns,
	Control:  sabotage.SwallowQMP("migrate"),
}, func(t *steps.T) {
	const tcp = "tcp:127.0.0.1:49300"
	q, g := t.StartGuest()
	mark := g.Mark()
	for i, uri := range []string{"unix:" + t.Scratch("socket"), tcp, tcp} {
		next := t.StartIncoming(q, "defer")
		if i == 2 { // both ends must agree
			q.Enable("multifd")
			next.Enable("multifd")
		}
		next.Do("migrate-incoming", map[string]any{"uri": uri}, nil)
		q.MigrateTo(next, uri)
		g = next.TakeOver(g)
		mark.Tick = g.ExpectGoesOn(mark)
		q.Quit()
		q = next
	}
	q.Quit()
})

// Guests keep the machine type that they were made with, for years. These have no kernel:
// what is asked is whether a machine reads what it wrote.
var _ = check.Register("IQ-MIG-MACH", check.Spec{
	Asserts:  "Every versioned machine with usual devices reads the state that it wrote",
	Requires: []matrix.Requirement{matrix.KVMStack},
	Depends:  check.On(matrix.QEMU),
	Control:  sabotage.SwallowQMP("migrate"),
}, func(t *steps.T) {
	for _, m := range machines(t) {
		if !strings.HasPrefix(m.Name, "pc-q35-") && !strings.HasPrefix(m.Name, "pc-i440fx-") {
			continue
		}
		file := t.Scratch(m.Name)
		q := t.StartQEMU("-machine", m.Name, "-m", "16", "-device", "virtio-net-pci", "-device", "virtio-balloon-pci", "-device", "VGA", "-device", "qemu-xhci")
		q.Migrate("exec:cat > " + file)
		q.Quit()
		next := t.StartIncoming(q, "exec:cat "+file)
		next.WaitIncoming()
		next.Quit()
	}
})

// The emulator needs userfaultfd, which Docker keeps from containers.
var _ = check.Register("IQ-POST", check.Spec{
	Asserts:  "A migration that would take long ends at once when it is switched to post-copy, and the guest goes on there",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.OwnKernel},
	Depends:  guestRuns,
	Control:  sabotage.SwallowQMP("migrate-start-postcopy"),
}, func(t *steps.T) {
	t.Run("sysctl -q vm.unprivileged_userfaultfd=1")
	uri := "unix:" + t.Scratch("socket")
	first, g := t.StartGuest()
	g.Dirty(32)
	mark := g.Mark()
	second := t.StartIncoming(first, "defer")
	first.Enable("postcopy-ram")
	second.Enable("postcopy-ram")
	second.Do("migrate-incoming", map[string]any{"uri": uri}, nil)
	first.Do("migrate-set-parameters", map[string]any{"max-bandwidth": t.Slow(256 << 10)}, nil)
	first.Do("migrate", map[string]any{"uri": uri}, nil)
	t.Until(slowEnd, "memory goes over", func() bool { return first.MigrationState() == "active" })
	first.Do("migrate-start-postcopy", nil, nil)
	first.Do("migrate-set-parameters", map[string]any{"max-bandwidth": 1 << 30}, nil)
	first.WaitMigrated()
	second.TakeOver(g).ExpectGoesOn(mark)
	first.Quit()
	second.Quit()
})

// Who upgrades a fleet moves guests from the old emulator to the new one, and back when
// the new one turns out to be bad. The way there must work. The way back may be refused,
// as long as that costs the guest nothing. Each is the one of its own release: libvirt has
// no part in it.
var _ = check.Register("IQ-MIG-X", check.Spec{
	Asserts:  "A guest with many devices goes from the emulator before to this one, and back, unless that is refused without harm",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.SharedFolder},
	Hosts:    matrix.Hosts{Count: 2, Earlier: []matrix.Component{matrix.Libvirt, matrix.QEMU}},
	Control:  sabotage.Guest(l2.ForgetWord),
}, func(t *steps.T) {
	before := t.On(1)
	image := t.Shared("disk")
	t.Sh(fmt.Sprintf("truncate -s %d %s", steps.SharedDiskBytes, image))
	old, g := before.StartGuest(rich(before, image)...)
	g.WriteAt(vda, 0, one)
	mark := g.Mark()
	uri := "unix:" + t.Shared("there")
	here := t.StartIncoming(old, uri)
	old.MigrateTo(here, uri)
	g = here.TakeOver(g)
	mark.Tick = g.ExpectGoesOn(mark)
	t.Expect(g.ReadAt(vda, 0, len(one))).To(Equal(one), "what the disk holds after the move")
	old.Quit()

	uri = "unix:" + t.Shared("back")
	back := before.StartIncoming(here, uri)
	here.Do("migrate", map[string]any{"uri": uri}, nil)
	why := here.EndMigration()
	if why == "" {
		var returned *steps.Guest
		if returned, why = back.TryTakeOver(g); returned != nil {
			returned.ExpectGoesOn(mark)
			t.Expect(returned.ReadAt(vda, 0, len(one))).To(Equal(one), "what the disk holds after the way back")
			back.Quit()
			here.Quit()
			return
		}
	}
	t.Note("the way back to %s is refused: %s", before.Cell, why)
	here.TakeOver(g).ExpectGoesOn(mark)
	here.Quit()
})

// rich are one of each device that users have and an emulator keeps state of, as far as
// hosts without graphics have them. Cards with an option ROM are among them: its size is
// part of what a guest is moved with.
func rich(t *steps.T, image string) []string {
	args := disk(image, "raw")
	devices := []string{"virtio-scsi-pci,id=scsi", "virtio-serial-pci", "virtio-keyboard-pci", "virtio-net-pci,mac=52:54:00:00:00:01", "e1000e",
		"qemu-xhci,id=usb", "virtio-balloon-pci"}
	if strings.HasPrefix(t.Machine(), "pc-q35-") {
		for i := range devices {
			args = append(args, "-device", fmt.Sprintf("pcie-root-port,id=port%d,chassis=%d", i, i+1))
			devices[i] += fmt.Sprintf(",bus=port%d", i)
		}
	}
	for _, d := range append(devices, "usb-tablet,bus=usb.0", "VGA", "i6300esb", "intel-hda", "hda-duplex,audiodev=mute", "pvpanic", "virtio-rng-pci,rng=entropy") {
		args = append(args, "-device", d)
	}
	return append(args, "-audiodev", "none,id=mute")
}
