package container

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/moby/api/types/container"

	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/internal/layout"
	"github.com/virtmatrix/virtmatrix/internal/owner"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// together are hosts without containers that are each other's peers.
func together(t *testing.T, count int) (hosts []*Host) {
	t.Helper()
	runtime := t.TempDir()
	var folders []*owner.Folder
	for range count {
		f, err := owner.NewFolder(runtime, FolderPrefix)
		if err != nil {
			t.Fatal(err)
		}
		folders = append(folders, f)
	}
	for role := range count {
		h, err := create(Options{Settings: host.Settings{
			Kind: matrix.KVM, LogDir: t.TempDir(), ScratchDir: t.TempDir(), Peers: host.Peers{Role: role, Count: count, Folders: folders},
		}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { h.Close() })
		h.layout.Daemons = []layout.Daemon{{Name: "virtqemud", Socket: "/run/libvirt/virtqemud-sock"}}
		hosts = append(hosts, h)
	}
	return hosts
}

func TestPeersSeeEachOther(t *testing.T) {
	hosts := together(t, 2)
	seen := map[string]string{} // by host and place
	for _, h := range hosts {
		mounts, err := h.peers()
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range mounts {
			seen[h.name()+" "+m.Target] = m.Source
			if m.ReadOnly != (m.Target == "/peers/l1" || m.Target == "/peers/l1-2") {
				t.Errorf("%s may write %s: %v", h.name(), m.Target, !m.ReadOnly)
			}
		}
	}
	a, b, share := hosts[0].folder.Path+"/libvirt", hosts[1].folder.Path+"/libvirt", hosts[0].folder.Path+"/share"
	want := map[string]string{
		"l1 /run/libvirt": a, "l1 /peers/l1-2": b, "l1 /share": share,
		"l1-2 /run/libvirt": b, "l1-2 /peers/l1": a, "l1-2 /share": share,
	}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Error(diff)
	}
	if st, err := os.Stat(share); err != nil || st.Mode().Perm() != 0o777 {
		t.Errorf("emulators cannot write to %s: %v, %v", share, st.Mode(), err)
	}
	if got, want := hosts[1].Address(), (host.Address{Name: "l1-2", Libvirt: "qemu+unix:///system?socket=/peers/l1-2/virtqemud-sock", Migrate: "unix:///share/l1-2.sock", Disks: "unix:///share/l1-2-disks.sock", Shared: "/share"}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestAContainerAloneIsShownNoPeers(t *testing.T) {
	h := quiet(t)
	if mounts, err := h.peers(); err != nil || len(mounts) > 0 || h.Address() != (host.Address{}) {
		t.Errorf("it sees %v and is at %+v, %v", mounts, h.Address(), err)
	}
}

func TestOnlyAHostThatMakesNetworksHasThePrivilege(t *testing.T) {
	h := quiet(t)
	var plain, network container.HostConfig
	h.request(Options{}, "image", nil).HostConfigModifier(&plain)
	if len(plain.CapAdd)+len(plain.Devices)+len(plain.SecurityOpt) > 0 || plain.ReadonlyPaths != nil || plain.MaskedPaths != nil {
		t.Errorf("a host without networks has %+v", plain)
	}
	h.settings.Network = true
	h.request(Options{Parts: host.Parts{QEMU: "usr.squashfs"}}, "image", nil).HostConfigModifier(&network)
	if diff := cmp.Diff([]string{"SYS_ADMIN", "NET_ADMIN", "SYS_PTRACE"}, []string(network.CapAdd)); diff != "" {
		t.Error(diff)
	}
	// Docker takes what is empty for all, and what is not there for its own list.
	if len(network.Devices) != 1 || network.ReadonlyPaths == nil || network.MaskedPaths == nil {
		t.Errorf("a host with networks has %+v", network)
	}
}

func TestAHostThatMountsHasThePrivilege(t *testing.T) {
	h := quiet(t)
	h.settings.Mounts = true
	var mounting container.HostConfig
	h.request(Options{}, "image", nil).HostConfigModifier(&mounting)
	if len(mounting.CapAdd) != 1 || mounting.CapAdd[0] != "SYS_ADMIN" || len(mounting.SecurityOpt) != 1 {
		t.Errorf("a host that mounts has %+v", mounting)
	}
}

func TestAHostWithSandboxesHasNoFilterAndNoPrivilege(t *testing.T) {
	h := quiet(t)
	h.settings.Sandboxes = true
	var open container.HostConfig
	h.request(Options{}, "image", nil).HostConfigModifier(&open)
	if diff := cmp.Diff([]string{"seccomp=unconfined", "apparmor=unconfined"}, open.SecurityOpt); diff != "" || len(open.CapAdd) > 0 {
		t.Errorf("a host with sandboxes has %+v%s", open.CapAdd, diff)
	}
}
