package qemu

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// hotMAC is the address of a network card that comes and goes.
const hotMAC = "52:54:00:00:00:0a"

// slots are the arguments of n places for devices that come, and says what to plug them
// into: a q35 has none but root ports.
func slots(t *steps.T, n int) (args []string, plug func(slot int, properties map[string]any) map[string]any) {
	q35 := strings.HasPrefix(t.Machine(), "pc-q35-")
	for i := range n {
		if q35 {
			args = append(args, "-device", fmt.Sprintf("pcie-root-port,id=slot%d,chassis=%d", i, i+1))
		}
	}
	return args, func(slot int, properties map[string]any) map[string]any {
		if q35 {
			properties["bus"] = fmt.Sprint("slot", slot)
		}
		return properties
	}
}

var _ = check.Register("IQ-HOTPLUG", check.Spec{
	Asserts:  "A running guest gets network cards, disks and memory with typed arguments, sees them, and loses what is taken away",
	Requires: []matrix.Requirement{matrix.KVMStack},
	Depends:  guestRuns,
	Control:  sabotage.SwallowQMP("device_del"),
}, func(t *steps.T) {
	args, plug := slots(t, 3)
	q, g := t.StartGuest(append(args, "-device", "virtio-scsi-pci,id=scsi", "-m", "256,slots=2,maxmem=512M")...)
	mark := g.Mark()
	q.Plug("virtio-net-pci", "nic", plug(0, map[string]any{"mac": hotMAC, "mq": false, "vectors": 3}))
	g.WaitNIC(hotMAC)
	q.Unplug("nic")
	g.WaitNoNIC(hotMAC)
	stringly(t, q, plug)

	for i, driver := range []string{"virtio-blk-pci", "scsi-hd"} {
		serial, properties := fmt.Sprint("hot", i), map[string]any{"bus": "scsi.0"}
		if driver != "scsi-hd" {
			properties = plug(2, map[string]any{})
		}
		properties["drive"], properties["serial"] = serial, serial
		q.Do("blockdev-add", map[string]any{"driver": "file", "node-name": serial, "filename": t.DiskImage(serial, mib)}, nil)
		q.Plug(driver, serial, properties)
		hot := g.WaitDisk(serial, steps.PlugLimit)
		g.WriteAt(hot.Name, 0, one)
		t.Expect(t.ReadFile(t.Scratch(serial+".img"), 0, len(one))).To(Equal(one), "what the disk %s holds", driver)
		q.Unplug(serial)
		g.WaitNoDisk(serial, steps.PlugLimit)
		// A SCSI disk lets its node go a moment after the emulator said that it is gone
		// (hw/core/qdev.c, bus_remove_child frees it by RCU).
		t.Until(slowEnd, "the node of the disk is free", func() bool {
			return q.Try("blockdev-del", map[string]any{"node-name": serial}, nil) == nil
		})
	}
	blocks := func() int { m := g.MemoryNow(); return len(m.Blocks.Online) + len(m.Blocks.Offline) }
	before := blocks()
	q.Do("object-add", map[string]any{"qom-type": "memory-backend-ram", "id": "memory", "size": 128 * mib}, nil)
	q.Plug("pc-dimm", "dimm", map[string]any{"memdev": "memory"})
	t.Until(steps.PlugLimit, "the guest has the memory", func() bool { return blocks() > before })
	g.ExpectGoesOn(mark)
	q.Quit()
})

// stringly gives numbers and truths as strings, which was accepted until 9.2 (qemu's
// docs/about/removed-features.rst).
func stringly(t *steps.T, q *steps.QEMU, plug func(int, map[string]any) map[string]any) {
	args := plug(1, map[string]any{"driver": "virtio-net-pci", "id": "stringly", "mq": "off", "vectors": "3"})
	refusal := q.Try("device_add", args, nil)
	t.Expect(refusal == nil).To(Equal(!t.AtLeast(matrix.QEMU, "9.2")), "a device whose numbers and truths are strings is accepted: %v", refusal)
	if refusal == nil {
		q.Unplug("stringly")
	}
}

var _ = check.Register("IQ-HP-CPU", check.Spec{
	Asserts:  "A running guest gets a processor, and uses it",
	Requires: []matrix.Requirement{matrix.KVMStack},
	Depends:  guestRuns,
	Control:  sabotage.SwallowQMP("device_add"),
}, func(t *steps.T) {
	q, g := t.StartGuest("-smp", "1,maxcpus=2")
	mark := g.Mark()
	type processor struct {
		Type  string
		Props map[string]any
		Path  string `json:"qom-path"`
	}
	var processors []processor
	q.Do("query-hotpluggable-cpus", nil, &processors)
	i := slices.IndexFunc(processors, func(p processor) bool { return p.Path == "" })
	t.Expect(i).NotTo(Equal(-1), "a processor that can be plugged in")
	q.Plug(processors[i].Type, "cpu", processors[i].Props)
	var cpus []struct{}
	q.Do("query-cpus-fast", nil, &cpus)
	t.Expect(cpus).To(HaveLen(2), "processors of the emulator")
	if !t.GuestTakesCPUs() {
		t.Note("the guest's kernel takes no processor that it was not told of when it booted")
		g.ExpectGoesOn(mark)
		q.Quit()
		return
	}
	t.Until(steps.PlugLimit, "the guest has the processor", func() bool {
		cpus := g.CPUs()
		return slices.Contains(append(cpus.Offline, cpus.Online...), "cpu1")
	})
	if slices.Contains(g.CPUs().Offline, "cpu1") {
		g.Online("cpu1")
	}
	t.Expect(g.CPUs().Online).To(ContainElement("cpu1"), "processors that the guest uses")
	g.ExpectGoesOn(mark)
	q.Quit()
})

var _ = check.Register("IQ-OBJ", check.Spec{
	Asserts:  "Objects are made with flat arguments, a limit that a disk uses stays, and one that is deleted is gone",
	Requires: []matrix.Requirement{matrix.KVMStack},
	Depends:  check.On(matrix.QEMU),
	Control:  sabotage.SwallowQMP("object-del"),
}, func(t *steps.T) {
	q := t.StartQEMU("-machine", t.Machine())
	objects := map[string]map[string]any{
		"rng-random":         {"filename": "/dev/urandom"},
		"iothread":           {"poll-max-ns": 0},
		"memory-backend-ram": {"size": mib},
		"secret":             {"data": "virtmatrix"},
		"throttle-group":     {"limits": map[string]any{"bps-total": mib}},
	}
	for kind, properties := range objects {
		flat := q.Try("object-add", merged(properties, map[string]any{"qom-type": kind, "id": kind}), nil)
		t.Expect(flat).To(BeNil(), "an object of type %s with flat arguments", kind)
		t.Expect(q.Has("/objects", kind)).To(BeTrue(), "the emulator has object %s", kind)
		// Gone since 6.0 (docs/about/removed-features.rst).
		nested := q.Try("object-add", map[string]any{"qom-type": kind, "id": kind + "-nested", "props": properties}, nil)
		t.Expect(nested == nil).To(Equal(!t.AtLeast(matrix.QEMU, "6.0")), "an object of type %s with arguments in props: %v", kind, nested)
	}
	// Of those in use some may go, as soon as they are out of use; a limit of disks must stay.
	q.Do("blockdev-add", map[string]any{"driver": "throttle", "node-name": "slow", "throttle-group": "throttle-group", "file": map[string]any{"driver": "null-co"}}, nil)
	t.Expect(q.Try("object-del", map[string]any{"id": "throttle-group"}, nil)).NotTo(BeNil(), "a limit in use is deleted")
	t.Expect(q.Has("/objects", "throttle-group")).To(BeTrue(), "the emulator has the limit that is in use")
	q.Do("blockdev-del", map[string]any{"node-name": "slow"}, nil)
	for kind := range objects {
		q.Do("object-del", map[string]any{"id": kind}, nil)
		t.Expect(q.Has("/objects", kind)).To(BeFalse(), "the emulator has object %s, which was deleted", kind)
	}
	q.Quit()
})

// merged are the arguments of both.
func merged(a, b map[string]any) map[string]any {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}
