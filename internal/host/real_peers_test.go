package host

import (
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/owner"
	"github.com/virtmatrix/virtmatrix/internal/snapshot"
)

// pair starts two machines that reach each other, as the harness does: at once.
func (b *bed) pair(t *testing.T) (pair [2]*VM) {
	t.Helper()
	var folders []*owner.Folder
	for range pair {
		f, err := owner.NewFolder(b.runtime, FolderPrefix)
		check(t, err)
		folders = append(folders, f)
	}
	start := time.Now()
	var wg sync.WaitGroup
	errs := [len(pair)]error{}
	for role := range pair {
		o := b.options()
		o.settings.LogDir = filepath.Join(t.TempDir(), "logs")
		o.settings.Peers = Peers{Role: role, Count: len(pair), Folders: folders}
		wg.Go(func() { pair[role], errs[role] = Boot(t.Context(), o.runtime, o.parts, o.settings, o.emulator) })
	}
	wg.Wait()
	for role, vm := range pair {
		check(t, errs[role])
		t.Cleanup(func() { vm.Close() })
	}
	t.Logf("both up after %s: %q, %q", time.Since(start), pair[0].Notes(), pair[1].Notes())
	return pair
}

func TestRealMachinesThatReachEachOther(t *testing.T) {
	b := realBed(t)
	b.settings.Snapshots = snapshot.In(filepath.Join(t.TempDir(), "snapshots"))
	for _, vm := range b.pair(t) {
		check(t, vm.Close())
	}
	pair := b.pair(t)
	for fact, command := range map[string]string{
		"name": "hostname", "machine-id": "cat /etc/machine-id", "MAC": "cat /sys/class/net/eth0/address",
		"UUID": "virsh -c qemu:///system capabilities | grep -m1 '<uuid>'", "address": "ip -4 -br addr show eth0",
	} {
		var says [2]string
		for role, vm := range pair {
			if !strings.Contains(strings.Join(vm.Notes(), ""), "restored from") {
				t.Fatalf("notes %q", vm.Notes())
			}
			res, err := vm.Exec(t.Context(), command)
			if err != nil || !res.OK() {
				t.Fatalf("%s: %s, %v", command, res.Text(), err)
			}
			says[role] = res.Text()
		}
		t.Logf("%s: %q", fact, says)
		if says[0] == says[1] {
			t.Errorf("both have the %s %s", fact, says[0])
		}
	}
	for role, vm := range pair {
		peer := pair[1-role].Address()
		for _, command := range []string{
			// As ping does, which userlands lack: the kernel's answer to who has the address.
			"timeout 30 sh -c 'until bash -c \"</dev/tcp/" + peer.Name + "/16509\"; do sleep 0.2; done'; ip neigh show dev eth0 | grep -i lladdr",
			"virsh -c '" + peer.Libvirt + "' hostname | grep -x " + peer.Name,
		} {
			start := time.Now()
			res, err := vm.Exec(t.Context(), command)
			if err != nil || !res.OK() {
				t.Errorf("%s: %s, %v", command, res.Text(), err)
			}
			t.Logf("%s after %s", res.Text(), time.Since(start))
		}
	}
}
