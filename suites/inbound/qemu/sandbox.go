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
	Asserts:  "In the sandbox that libvirt asks for all threads are filtered, and a guest boots, writes, gets a device and is saved",
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
	filtered := t.Sh("awk '/^Seccomp:/ { print $2 }' /proc/$(" + q.PID() + ")/task/*/status | sort | uniq -c")
	t.Expect(filtered).To(MatchRegexp(`^\d+ 2$`), "threads of the emulator by how they are filtered, which is 2 (seccomp(2))")
	q.HMP("savevm it")
	q.HMP("loadvm it")
	g.ExpectGoesOn(mark)
	t.Expect(g.ReadAt(vda, 0, len(one))).To(Equal(one), "what the disk holds")
	q.Quit()
})
