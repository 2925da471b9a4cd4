package host

import (
	"fmt"
	"path/filepath"

	"github.com/virtmatrix/virtmatrix/internal/agent"
	"github.com/virtmatrix/virtmatrix/internal/layout"
	"github.com/virtmatrix/virtmatrix/internal/owner"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// Peers are hosts that are started together and reach each other. The zero value is
// a host alone.
type Peers struct {
	// Role is the number of the host at hand among Count, from 0. Its identity follows
	// from it, so that each role has a snapshot of its own.
	Role, Count int
	// Folders are those of all of them, by role. Each host removes its own.
	Folders []*owner.Folder
}

// Alone says whether the host reaches no other.
func (p Peers) Alone() bool { return p.Count < 2 }

// Folder is the host's folder for sockets, which a host alone makes.
func (p Peers) Folder(runtime, prefix string) (*owner.Folder, error) {
	if p.Alone() {
		return owner.NewFolder(runtime, prefix)
	}
	return p.Folders[p.Role], nil
}

// Name is the name of the host with a role.
func (p Peers) Name(role int) string {
	if role == 0 {
		return "l1"
	}
	return fmt.Sprintf("l1-%d", role+1)
}

// machineID and hostUUID are those that the host boots with. libvirt refuses to
// migrate between hosts of one UUID, and makes one at random at each start where the
// machine has none.
func (p Peers) machineID() string { return fmt.Sprintf("7669727400006d617472697800%06x", p.Role+1) }

func (p Peers) hostUUID() string { return fmt.Sprintf("76697274-6d61-4472-8978-%012x", p.Role+1) }

// mac and ip are the addresses of a machine with a role on the network of its peers.
func (p Peers) mac() string { return fmt.Sprintf("52:54:00:0a:09:%02x", p.Role+1) }

func (p Peers) ip(role int) string { return fmt.Sprintf("10.9.0.%d", role+1) }

// Address is how the peers of a host reach it. It is empty for a host alone.
type Address struct {
	// Name is the host's name.
	Name string
	// Libvirt is the URI of its libvirt for clients on its peers.
	Libvirt string
	// Migrate is the URI that guests migrate to, and Disks the one for the content of
	// their disks; empty where libvirt finds that by itself.
	Migrate, Disks string
	// Shared is a folder that all peers see; empty where there is none.
	Shared string
}

// Address is that of a machine: on a network, without encryption.
func (vm *VM) Address() Address {
	p := vm.settings.Peers
	if p.Alone() {
		return Address{}
	}
	driver := "qemu"
	if vm.settings.Kind == matrix.Xen {
		driver = "xen"
	}
	return Address{
		Name:    p.Name(p.Role),
		Libvirt: driver + "+tcp://" + p.ip(p.Role) + "/system",
		Migrate: "tcp://" + p.ip(p.Role),
	}
}

// composePeers gives a machine its identity, and where it has peers a way to them.
func composePeers(spec *agent.Spec, m layout.Manifest, s Settings) error {
	p := s.Peers
	manager, err := m.Manager(s.Kind)
	if err != nil {
		return err
	}
	name, hosts := p.Name(p.Role), "127.0.0.1 localhost "+p.Name(p.Role)+"\n"
	if !p.Alone() {
		hosts = "127.0.0.1 localhost\n"
		for role := range p.Count {
			hosts += p.ip(role) + " " + p.Name(role) + "\n"
		}
	}
	spec.Hostname = name
	spec.Files = append(spec.Files,
		agent.File{Path: "/etc/hostname", Content: name + "\n"},
		agent.File{Path: "/etc/hosts", Content: hosts},
		agent.File{Path: "/etc/machine-id", Content: p.machineID() + "\n"},
		agent.File{Path: manager.Config, Content: "host_uuid = \"" + p.hostUUID() + "\"\n", Append: true},
	)
	if p.Alone() {
		return nil
	}
	spec.Modprobe = append(spec.Modprobe, "virtio_net")
	// No udev renames the card.
	spec.Services = append([]agent.Service{ownStep("network", "ip link set eth0 up; ip addr add "+p.ip(p.Role)+"/24 dev eth0")}, spec.Services...)
	return listen(spec, m, s.Kind)
}

// listen has libvirt take TCP connections, which it does only where it is told to.
func listen(spec *agent.Spec, m layout.Manifest, kind matrix.Kind) error {
	d, err := m.Listener(kind)
	if err != nil {
		return err
	}
	for i, s := range spec.Services {
		if s.Name == d.Name {
			spec.Services[i].Argv = append(s.Argv, d.ListenOptions()...)
		}
	}
	spec.Files = append(spec.Files, agent.File{Path: d.Config, Content: "listen_tls = 0\nlisten_tcp = 1\nauth_tcp = \"none\"\n", Append: true})
	return nil
}

// peerArgs are the emulator's arguments for the network of two machines: frames go
// from socket to socket, and are dropped while the other is not there.
func peerArgs(p Peers, at places) ([]string, error) {
	switch {
	case p.Alone():
		return nil, nil
	case p.Count > 2:
		return nil, fmt.Errorf("cannot connect %d machines: their network joins two; use containers", p.Count)
	}
	return []string{
		"-netdev", fmt.Sprintf("dgram,id=peer,local.type=unix,local.path=%s,remote.type=unix,remote.path=%s",
			value(filepath.Join(at.sockets, sockNet)), value(filepath.Join(at.peer, sockNet))),
		"-device", "virtio-net-pci,netdev=peer,romfile=,mac=" + p.mac(),
	}, nil
}
