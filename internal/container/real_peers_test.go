package container

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/virtmatrix/virtmatrix/fixtures/l2"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/internal/owner"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// guestXML is the smallest guest that ticks on its serial port.
const guestXML = `<domain type='qemu'><name>g</name><memory unit='MiB'>128</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type><kernel>` + host.GuestKernel + `</kernel><initrd>` + host.GuestInitrd + `</initrd>
<cmdline>console=ttyS0 panic=-1 ` + l2.TokenArg + `peers</cmdline></os><features><acpi/></features>
<devices><controller type='usb' model='none'/><serial type='unix'><source mode='bind' path='` + guestConsole + `'/></serial><memballoon model='virtio'/></devices></domain>`

const guestConsole = host.ScratchDir + "/g.sock"

// limited ends long after any step of these tests.
func limited(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(t.Context(), 5*time.Minute, errors.New("nobody waits longer"))
	t.Cleanup(cancel)
	return ctx
}

func runs(t *testing.T, h *Host, command string) string {
	t.Helper()
	res, err := h.Exec(limited(t), command)
	if err != nil || !res.OK() {
		t.Fatalf("%s: %s, %v", command, res.Text(), err)
	}
	return res.Text()
}

// startGuest starts the guest on a host.
func startGuest(t *testing.T, h *Host) {
	t.Helper()
	if err := h.Write(limited(t), "/tmp/g.xml", []byte(guestXML)); err != nil {
		t.Fatal(err)
	}
	runs(t, h, "virsh -c qemu:///system create /tmp/g.xml")
}

// ticks asks the guest for its pulse where it runs.
func ticks(t *testing.T, h *Host) l2.Tick {
	t.Helper()
	conn, err := h.Dial(guestConsole)
	if err != nil {
		t.Fatal(err)
	}
	guest := l2.NewClient(conn)
	defer guest.Close()
	tick, err := guest.Tick(limited(t))
	if err != nil {
		t.Fatal(err)
	}
	return tick
}

// goesOn asserts that a guest is the one that it was, and has ticked since.
func goesOn(t *testing.T, was, is l2.Tick) {
	t.Helper()
	if is.BootID != was.BootID || is.Count <= was.Count {
		t.Errorf("the guest has booted anew or stood still: %+v, before %+v", is, was)
	}
}

func TestRealGuestThatMigratesBetweenContainers(t *testing.T) {
	o := realOptions(t)
	var folders []*owner.Folder
	for range 2 {
		f, err := owner.NewFolder(o.Runtime, FolderPrefix)
		if err != nil {
			t.Fatal(err)
		}
		folders = append(folders, f)
	}
	var hosts []*Host
	for role := range 2 {
		o.Settings.LogDir = filepath.Join(t.TempDir(), fmt.Sprint(role))
		o.Settings.Peers = host.Peers{Role: role, Count: 2, Folders: folders}
		hosts = append(hosts, up(t, o))
	}
	for fact, command := range map[string]string{
		"name": "cat /proc/sys/kernel/hostname", "machine-id": "cat /etc/machine-id", "UUID": "virsh -c qemu:///system capabilities | grep -m1 '<uuid>'",
	} {
		a, b := runs(t, hosts[0], command), runs(t, hosts[1], command)
		t.Logf("%s: %s, %s", fact, a, b)
		if a == b {
			t.Errorf("both have the %s %s", fact, a)
		}
	}
	startGuest(t, hosts[0])
	was := ticks(t, hosts[0])
	for _, way := range [][2]*Host{{hosts[0], hosts[1]}, {hosts[1], hosts[0]}} {
		from, to := way[0], way[1]
		start := time.Now()
		runs(t, from, fmt.Sprintf("virsh -c qemu:///system migrate --live --p2p g '%s' --migrateuri %s", to.Address().Libvirt, to.Address().Migrate))
		took := time.Since(start)
		is := ticks(t, to)
		t.Logf("%s to %s: migrated in %s, tick %d to %d", from.name(), to.name(), took, was.Count, is.Count)
		goesOn(t, was, is)
		if left := runs(t, from, "virsh -c qemu:///system list --all --name"); left != "" {
			t.Errorf("%s still has %s", from.name(), left)
		}
		was = is
	}
}

func TestRealDaemonThatIsRestartedUnderAGuest(t *testing.T) {
	h := up(t, realOptions(t))
	startGuest(t, h)
	was := ticks(t, h)
	daemon, err := h.Layout().Manager(matrix.KVM)
	if err != nil {
		t.Fatal(err)
	}
	uuid := runs(t, h, "virsh -c qemu:///system capabilities | grep -m1 '<uuid>'")
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		pid := runs(t, h, "pgrep -x "+daemon.Name)
		start := time.Now()
		if err := h.Restart(limited(t), daemon.Name, signal); err != nil {
			t.Fatal(err)
		}
		back := time.Since(start)
		if state := runs(t, h, "virsh -c qemu:///system domstate g"); state != "running" {
			t.Errorf("after %s the guest is %q", signal, state)
		}
		t.Logf("after %s: its socket was answered after %s, and a question after %s", signal, back, time.Since(start))
		if now := runs(t, h, "pgrep -x "+daemon.Name); now == pid {
			t.Errorf("%s is still process %s", daemon.Name, pid)
		}
		is := ticks(t, h)
		goesOn(t, was, is)
		was = is
		runs(t, h, "virsh -c qemu:///system suspend g && virsh -c qemu:///system resume g")
	}
	if now := runs(t, h, "virsh -c qemu:///system capabilities | grep -m1 '<uuid>'"); now != uuid {
		t.Errorf("the host's UUID is %s, and was %s", now, uuid)
	}
	if err := h.Alive(); err != nil {
		t.Error(err)
	}
}

func TestRealKillForWantOfMemory(t *testing.T) {
	o := realOptions(t)
	short, other := up(t, o), func() *Host { o.Settings.LogDir = t.TempDir(); return up(t, o) }()
	limit := int64(200 << 20)
	_, err := short.engine.docker().ContainerUpdate(t.Context(), short.id, client.ContainerUpdateOptions{
		Resources: &container.Resources{Memory: limit, MemorySwap: limit},
	})
	if err != nil {
		t.Fatal(err)
	}
	// It keeps all that it reads in one line that does not end.
	res, err := short.Exec(limited(t), "head -c 400000000 /dev/zero | tr '\\0' x | sort >/dev/null; sort -S 1G /dev/zero")
	if err == nil && res.OK() {
		t.Fatalf("it had memory enough: %+v", res)
	}
	isOurs(t, short.Alive(), "memory ran out", "of the container")
	if err := other.Alive(); err != nil {
		t.Errorf("another container suffers from it: %v", err)
	}
}

func TestRealImageThatIsReplaced(t *testing.T) {
	o := realOptions(t)
	// An image of the test's own: runs may use the one of the true digest.
	o.Parts.Sums[o.Parts.Root] = strings.Repeat("1d1d", 16)
	ref := reference(o.Parts.Sums[o.Parts.Root], o.Home)
	engine, err := Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	imported, err := engine.userland(t.Context(), o.Parts.Root, o.Parts.Sums[o.Parts.Root], o.Home)
	if err != nil {
		t.Fatal(err)
	}
	// After the hosts have left: the image that was replaced has no name any more.
	t.Cleanup(func() {
		for _, it := range []string{ref, imported} {
			_ = engine.RemoveImage(context.Background(), Image{Ref: it})
		}
	})
	h := up(t, o)
	runs(t, h, "printf '#!/bin/sh\\necho all is well\\n' > /usr/bin/virsh")
	if _, err := engine.docker().ContainerCommit(t.Context(), h.id, client.ContainerCommitOptions{Reference: ref}); err != nil {
		t.Fatal(err)
	}
	o.Settings.LogDir = t.TempDir()
	_, err = Boot(t.Context(), o)
	isOurs(t, err, "somebody has replaced it", "docker rmi "+ref)
	if err := engine.RemoveImage(t.Context(), Image{Ref: ref}); err != nil {
		t.Fatal(err)
	}
	if said := runs(t, up(t, o), "virsh -c qemu:///system version"); !strings.Contains(said, "Running hypervisor: QEMU") {
		t.Errorf("virsh says %s", said)
	}
}

func TestRealNetworkThatAHostMakes(t *testing.T) {
	o := realOptions(t)
	o.Settings.Network = true
	h := up(t, o)
	start := time.Now()
	runs(t, h, "virsh -c qemu:///system net-start default && ip -4 addr show virbr0 | grep 192.168.122.1")
	t.Logf("up after %s", time.Since(start))
}
