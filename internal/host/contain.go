package host

import (
	"errors"
	"iter"
	"slices"

	"github.com/virtmatrix/virtmatrix/internal/agent"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// Contain says what the agent does to make a host of a container whose root is
// the userland's, and where the parts have to be for that: paths on L0 by their
// place below agent.PartsInContainer. The guest's initramfs is at guestInitrd on
// L0. quirks are as those of a machine.
func Contain(p Parts, s Settings, guestInitrd string) (spec agent.Spec, parts map[string]string, quirks []string, err error) {
	if s.Kind != matrix.KVM {
		return spec, nil, nil, errors.New("a container has no hypervisor of its own: " + string(s.Kind) + " takes a machine")
	}
	for _, axis := range s.Axes {
		if axis.Axis == Security && axis.Value != "none" {
			return spec, nil, nil, errors.New("a container has no profiles of its own: " + axis.Axis + "=" + axis.Value + " takes a machine")
		}
	}
	// Its processors are L0's, whatever those of a machine are, and its peers are
	// reached by what it is shown.
	s.Accel, s.Peers.Count = "", 1
	spec, quirks, err = compose(p, s)
	if err != nil {
		return spec, nil, nil, err
	}
	spec.Modules, spec.Root, spec.Images, spec.Scratch, spec.Modprobe = nil, "", nil, agent.Mount{}, nil
	// Docker makes them, and they cannot be replaced.
	spec.Files = slices.DeleteFunc(spec.Files, func(f agent.File) bool {
		return f.Path == "/etc/hostname" || f.Path == "/etc/hosts" || f.Path == crashNoter
	})
	spec.Services = slices.DeleteFunc(spec.Services, func(s agent.Service) bool { return s.Name == corePattern })
	for setting, why := range confinements(p) {
		spec.Files, quirks = configured(spec.Files, qemuConf(p.Layout), setting), append(quirks, "container: "+why)
	}
	parts = map[string]string{GuestKernel: p.Guest.Kernel, GuestInitrd: guestInitrd}
	for name, file := range p.Tools {
		parts[toolPath(name)] = file
	}
	if p.QEMU != "" {
		parts[launcher] = p.Launcher
	}
	return spec, parts, quirks, nil
}

// confinements are the settings of libvirt that a container takes, and why. One
// with a bundled emulator has the privilege that the last one does without.
func confinements(p Parts) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		if !yield("cgroup_controllers = []", "libvirt puts guests into no control groups, which a container may only read") || p.QEMU != "" {
			return
		}
		yield("remember_owner = 0", "libvirt does not note whom a guest's files belonged to, which takes CAP_SYS_ADMIN")
	}
}

// configured adds a setting to what libvirt reads of how to run emulators.
func configured(files []agent.File, config, setting string) []agent.File {
	at := slices.IndexFunc(files, func(f agent.File) bool { return f.Path == config })
	if at < 0 {
		return append(files, agent.File{Path: config, Mode: 0o600, Content: setting + "\n"})
	}
	files[at].Content += setting + "\n"
	return files
}
