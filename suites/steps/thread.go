package steps

import (
	"strings"

	"github.com/virtmatrix/virtmatrix/internal/host"
)

// Threads are the threads of a running kvm guest's emulator by the names that QEMU gives
// them, as in "CPU 0" and "IO iothread1", each with the processors it may run on, as in "0-1".
// The one of the process itself is "emulator".
func (d *Domain) Threads() map[string]string {
	threads := map[string]string{}
	// A thread that ends meanwhile has no files any more.
	list := d.t.Sh(`p=$(` + emulatorOf(d.Name) + `) && for dir in /proc/$p/task/*; do
		name=$(cat $dir/comm 2>/dev/null) || continue
		test ${dir##*/} = $p && name=emulator
		echo "$name:$(sed -n 's/^Cpus_allowed_list:[[:space:]]*//p' $dir/status)"
	done`)
	for line := range strings.Lines(list) {
		name, allowed, _ := strings.Cut(strings.TrimSpace(line), ":")
		name, _, _ = strings.Cut(name, "/") // "CPU 0/KVM"
		threads[name] = allowed
	}
	return threads
}

// ControlGroup is the folder of the control groups of a running kvm guest, which libvirt
// names after it: "qemu-1-l2..." or, of systemd's, "machine-qemu...".
func (d *Domain) ControlGroup() string {
	return d.t.Sh(`sed -n 's|^0::\(/.*qemu[^/]*\).*|/sys/fs/cgroup\1|p' /proc/$(` + emulatorOf(d.Name) + `)/cgroup`)
}

// LastCPU is the number of L1's last processor, counted from 0.
func (t *T) LastCPU() int {
	nodes := Get(t, "ask about the node", t.Connection().Raw.GetNodeInfo)
	return int(nodes.Cpus) - 1
}

// Only is the map of n processors with the one of a number in it.
func Only(cpu, n int) []bool {
	cpus := make([]bool, n)
	cpus[cpu] = true
	return cpus
}

// Monitor gives a running kvm guest's emulator a QMP command by way of libvirt, with
// virsh in L1, and returns the answer.
func (d *Domain) Monitor(command string) string {
	return d.t.VirshSays("qemu-monitor-command " + d.Name + " " + host.Quote(command))
}
