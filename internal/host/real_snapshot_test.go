package host

import (
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/virtmatrix/virtmatrix/fixtures/l2"
	"github.com/virtmatrix/virtmatrix/internal/snapshot"
)

// facts is what a host says of itself, by name.
type facts map[string]string

// says asks a host for what must be the same in each that is restored from one
// snapshot, and for what must not.
func factsOf(t *testing.T, vm *VM) facts {
	t.Helper()
	got := facts{}
	for name, command := range map[string]string{
		"name":    "cat /proc/sys/kernel/hostname",
		"machine": "cat /etc/machine-id", "random": "head -c 16 /dev/urandom | od -An -tx1",
		"libvirt": "virsh -c qemu:///system list --all --name && virsh -c qemu:///system nodeinfo | head -n1",
		"disk":    "cat " + ScratchDir + "/mark", "time": "date +%s.%N",
	} {
		res, err := vm.Exec(t.Context(), command)
		if err != nil || !res.OK() {
			t.Fatalf("%s: %s, %v", command, res.Text(), err)
		}
		got[name] = res.Text()
	}
	seconds, err := strconv.ParseFloat(got["time"], 64)
	check(t, err)
	if off := time.Since(time.UnixMicro(int64(seconds * 1e6))); off.Abs() > 5*time.Second {
		t.Errorf("the host's clock is off by %s", off)
	}
	return got
}

func TestRealHostsThatAreRestored(t *testing.T) {
	b := realBed(t)
	b.settings.MemoryMB = 2048
	b.settings.Snapshots = snapshot.In(filepath.Join(t.TempDir(), "snapshots"))
	up := func() *VM {
		t.Helper()
		start := time.Now()
		vm := boot(t, b.options())
		t.Cleanup(func() { vm.Close() })
		res, err := vm.Exec(t.Context(), "virsh -c qemu:///system version")
		if err != nil || !res.OK() {
			t.Fatalf("libvirt says %s, %v", res.Text(), err)
		}
		t.Logf("%.2f s until libvirt answered; %q", time.Since(start).Seconds(), vm.Notes())
		return vm
	}
	first := up()
	if len(first.Notes()) > 0 {
		t.Fatalf("the first host notes %q", first.Notes())
	}
	// After the snapshot: what one host does, the others do not see.
	for _, command := range []string{"echo of the first > " + ScratchDir + "/mark", "echo lost > /run/lost; sync"} {
		if res, err := first.Exec(t.Context(), command); err != nil || !res.OK() {
			t.Fatalf("%s: %s, %v", command, res.Text(), err)
		}
	}
	was := factsOf(t, first)
	check(t, first.Close())

	seen := []facts{was}
	for range 3 {
		vm := up()
		if notes := vm.Notes(); len(notes) != 1 || !strings.HasPrefix(notes[0], "restored from snapshot kvm-") {
			t.Fatalf("notes %q", notes)
		}
		res, err := vm.Exec(t.Context(), "ls /run/lost "+ScratchDir+"/mark; echo restored > "+ScratchDir+"/mark")
		if err != nil || strings.Count(res.Text(), "No such file") != 2 {
			t.Errorf("the host is not pristine: %s, %v", res.Text(), err)
		}
		is := factsOf(t, vm)
		for _, before := range seen {
			if is["name"] != "l1" || is["libvirt"] != before["libvirt"] {
				t.Errorf("it is another host: %v, before %v", is, before)
			}
			if is["machine"] == before["machine"] || is["random"] == before["random"] {
				t.Errorf("it is not fresh: %v, before %v", is, before)
			}
		}
		seen = append(seen, is)
		if len(seen) == 4 {
			runsGuest(t, vm)
		}
		check(t, vm.Close())
	}
}

// runsGuest boots an L2 under the host's own KVM.
func runsGuest(t *testing.T, vm *VM) {
	t.Helper()
	res, err := vm.Exec(t.Context(), "timeout 300 qemu-system-x86_64 -nodefaults -no-user-config -display none -no-reboot -accel kvm -cpu host -m 256 "+
		"-serial file:/run/l2.log -kernel "+GuestKernel+" -initrd "+GuestInitrd+" -append 'console=ttyS0 panic=-1 "+l2.TokenArg+"restored' & "+
		"until grep -q "+Quote(l2.Prefix)+" /run/l2.log || ! kill -0 $!; do sleep 0.2; done 2>/dev/null; kill $!; cat /run/l2.log")
	if err != nil || !strings.Contains(res.Text(), l2.Prefix) {
		t.Errorf("L2 said %s, %v", res.Text(), err)
	}
	if dead := vm.Alive(); dead != nil {
		t.Error(dead)
	}
}
