package container

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/testcontainers/testcontainers-go"

	"github.com/virtmatrix/virtmatrix/internal/agent"
	"github.com/virtmatrix/virtmatrix/internal/host"
)

// compose writes what the agent is told, and lists what the container sees of L0.
func (h *Host) compose(o Options) ([]mount.Mount, error) {
	initrd, told := filepath.Join(h.bulk.Path, fileInitrd), filepath.Join(h.bulk.Path, fileSpec)
	spec, parts, quirks, err := host.Contain(o.Parts, h.settings, initrd)
	if err != nil {
		return nil, err
	}
	h.quirks = quirks
	h.layout, _ = o.Parts.Found() // Contain has seen the error
	spec.Call = agent.CallInContainer + "/" + socket
	if err := host.WriteGuestInitramfs(initrd, o.Parts.Guest); err != nil {
		return nil, err
	}
	b, err := json.Marshal(spec)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(told, b, 0o644); err != nil {
		return nil, err
	}
	mounts := []mount.Mount{
		shown(o.Parts.Agent, agent.InitInContainer),
		shown(told, agent.SpecInContainer),
		shown(filepath.Join(h.folder.Path, dirCall), agent.CallInContainer),
		writable(h.Console().Path, agent.ConsoleInContainer),
		writable(filepath.Join(h.bulk.Path, dirScratch), host.ScratchDir),
	}
	for _, place := range slices.Sorted(maps.Keys(parts)) {
		mounts = append(mounts, shown(parts[place], agent.PartsInContainer+place))
	}
	if o.Above.Packages != "" {
		mounts = append(mounts, shown(o.Above.Packages, host.PackagesDir))
	}
	if o.Above.Machine != "" {
		mounts = append(mounts, shown(o.Above.Machine, host.MachineDir))
	}
	peers, err := h.peers()
	return append(mounts, peers...), err
}

// shown lets the container see a file or folder of L0, and not change it.
func shown(source, target string) mount.Mount {
	return mount.Mount{Type: mount.TypeBind, Source: source, Target: target, ReadOnly: true}
}

// writable lets the container change a folder of L0.
func writable(source, target string) mount.Mount {
	return mount.Mount{Type: mount.TypeBind, Source: source, Target: target}
}

// request asks for the container with the least that its checks can do with. A
// bundled emulator has its own /usr by a mount namespace, which takes privilege.
func (h *Host) request(o Options, image string, mounts []mount.Mount) testcontainers.ContainerRequest {
	return testcontainers.ContainerRequest{
		Image:      image,
		Entrypoint: []string{agent.InitInContainer}, Cmd: []string{agent.Contain},
		Labels: map[string]string{labelFolder: h.folder.Path, labelCell: h.settings.Name},
		Tmpfs:  map[string]string{"/run": "exec,mode=755", "/tmp": "exec,mode=1777"},
		ConfigModifier: func(c *container.Config) {
			c.Hostname, c.NetworkDisabled = h.name(), true
		},
		HostConfigModifier: func(c *container.HostConfig) {
			c.AutoRemove, c.NetworkMode, c.Mounts = true, "none", append(c.Mounts, mounts...)
			// The init writes to its console, and nothing to Docker.
			c.LogConfig = container.LogConfig{Type: "none"}
			if o.Parts.QEMU != "" || h.settings.Mounts {
				c.CapAdd = append(c.CapAdd, "SYS_ADMIN")
				// Docker's own filter lets mounts pass with it, its AppArmor profile does not.
				c.SecurityOpt = []string{"apparmor=unconfined"}
			}
			if h.settings.Sandboxes {
				// Docker's filter of system calls and its AppArmor profile keep unshare, mount and
				// pivot_root from who has no privilege, in a user namespace of its own too.
				c.SecurityOpt = []string{"seccomp=unconfined", "apparmor=unconfined"}
			}
			if h.settings.Accel == "kvm" {
				c.Devices = append(c.Devices, device("/dev/kvm"))
			}
			if h.settings.Network {
				c.CapAdd, c.Devices = append(c.CapAdd, "NET_ADMIN"), append(c.Devices, device("/dev/net/tun"))
				// A daemon that starts anew knows its dnsmasq by /proc/PID/exe, which the
				// kernel shows of another user's process to tracers only.
				c.CapAdd = append(c.CapAdd, "SYS_PTRACE")
				// libvirt writes to /proc/sys/net for each bridge, which Docker shows
				// read-only otherwise (its option systempaths=unconfined).
				c.MaskedPaths, c.ReadonlyPaths = []string{}, []string{}
			}
		},
	}
}

func device(path string) container.DeviceMapping {
	return container.DeviceMapping{PathOnHost: path, PathInContainer: path, CgroupPermissions: "rwm"}
}
