package container

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/moby/moby/api/types/mount"

	"github.com/virtmatrix/virtmatrix/internal/host"
)

// Places in a container that has peers. No network joins them: they see the sockets
// of each other's libvirt, and guests migrate through sockets in a folder that all
// may write to.
const (
	peersDir  = "/peers"
	sharedDir = "/share"
)

// The folders for that of a host on L0; the shared one is that of role 0.
const (
	dirLibvirt = "libvirt"
	dirShared  = "share"
)

// name is the host's name.
func (h *Host) name() string { return h.settings.Peers.Name(h.settings.Peers.Role) }

// socket is that of the host's libvirt. Whoever composed the host has seen the error.
func (h *Host) socket() string {
	d, _ := h.layout.Manager(h.settings.Kind)
	return d.Socket
}

// Address is how the host's peers reach it.
func (h *Host) Address() host.Address {
	if h.settings.Peers.Alone() {
		return host.Address{}
	}
	return host.Address{
		Name:    h.name(),
		Libvirt: fmt.Sprintf("qemu+unix:///system?socket=%s/%s/%s", peersDir, h.name(), filepath.Base(h.socket())),
		Migrate: fmt.Sprintf("unix://%s/%s.sock", sharedDir, h.name()),
		Disks:   fmt.Sprintf("unix://%s/%s-disks.sock", sharedDir, h.name()),
		Shared:  sharedDir,
	}
}

// peers shows the host its peers. Whichever of them comes first makes the folders.
func (h *Host) peers() ([]mount.Mount, error) {
	p := h.settings.Peers
	if p.Alone() {
		return nil, nil
	}
	var mounts []mount.Mount
	for role, folder := range p.Folders {
		dir := filepath.Join(folder.Path, dirLibvirt)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, err
		}
		if role == p.Role {
			mounts = append(mounts, writable(dir, filepath.Dir(h.socket())))
			continue
		}
		mounts = append(mounts, shown(dir, filepath.Join(peersDir, p.Name(role))))
	}
	shared := filepath.Join(p.Folders[0].Path, dirShared)
	if err := os.MkdirAll(shared, 0o777); err != nil {
		return nil, err
	}
	// Whatever the umask is: an emulator is not root.
	if err := os.Chmod(shared, 0o777); err != nil {
		return nil, err
	}
	return append(mounts, writable(shared, sharedDir)), nil
}
