package qemu

import (
	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/internal/layout"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// libvirtSandbox is what libvirt asks for (src/qemu/qemu_command.c, qemuBuildSeccompSandboxCommandLine).
const libvirtSandbox = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"

var _ = check.Register("IQ-SANDBOX", check.Spec{
	Asserts:  "In the sandbox that libvirt asks for a guest boots, writes, gets a device and is saved, and no program is started",
	Requires: []matrix.Requirement{matrix.KVMStack},
	Depends:  guestRuns,
	Control:  sabotage.Wrap(layout.Emulator, "a sandbox that is off", `exec $REAL "${@/on,obsolete=*/off}"`),
}, func(t *steps.T) {
	image := t.QCOW2("disk", "")
	args, plug := slots(t, 1)
	args = append(args, disk(image, "qcow2")...)
	q, g := t.StartGuest(append(args, "-sandbox", libvirtSandbox)...)
	g.WriteAt(vda, 0, one)
	q.Plug("virtio-net-pci", "nic", plug(0, map[string]any{"mac": hotMAC}))
	g.WaitNIC(hotMAC)
	mark := g.Mark()
	q.HMP("savevm it")
	q.HMP("loadvm it")
	g.ExpectGoesOn(mark)
	t.Expect(g.ReadAt(vda, 0, len(one))).To(Equal(one), "what the disk holds")
	// It comes last: the filter may end the emulator for it (seccomp(2), SECCOMP_RET_KILL).
	// The mode in /proc would not do: in a container everything is filtered.
	spawned := t.Scratch("spawned")
	end := q.TryFatal("migrate to a program", func() {
		q.Try("migrate", map[string]any{"uri": "exec:touch " + spawned}, nil)
		q.EndMigration()
		q.Quit()
	})
	t.Note("the filter ended the emulator: %q", end)
	t.Expect(t.Exists(spawned)).To(BeFalse(), "a program is started from the sandbox")
})
