package host

import (
	"fmt"
	"maps"
	"slices"

	"github.com/virtmatrix/virtmatrix/internal/agent"
	"github.com/virtmatrix/virtmatrix/internal/snapshot"
	"github.com/virtmatrix/virtmatrix/internal/store/disk"
)

// identity is all that the state of a ready host depends on. Hosts with the same
// may be restored from each other's snapshots.
type identity struct {
	// Revision is that of the code here which makes hosts ready and restores them.
	Revision int `json:"revision"`
	// Emulator is the version of the L0 emulator's package.
	Emulator string `json:"emulator"`
	// CommandLine has images by their digests, and no place that changes from
	// host to host.
	CommandLine []string `json:"command_line"`
	// Spec is at scale 1: how long the harness is patient leaves nothing behind in
	// a host that is ready.
	Spec agent.Spec `json:"spec"`
	// Initramfs and Guest are the SHA-256 of the files that L1 and L2 begin with,
	// in their order: the agent, early modules, the checks' programs.
	Initramfs [][2]string `json:"initramfs"`
	Guest     [][2]string `json:"guest"`
	// Images are SHA-256 by what the image is for; empty for none.
	Images map[string]string `json:"images"`
	// Machine is what of L0 counts besides, by name: above all the processor that
	// L1's is like when it is not emulated.
	Machine map[string]string `json:"machine,omitempty"`
}

// identityRevision goes up when a host that is ready becomes something else by a
// change of this package alone.
const identityRevision = 3

// subject tells which snapshot a host of these options could be restored from.
func (o options) subject() (snapshot.Subject, error) {
	id, err := o.identity()
	if err != nil {
		return snapshot.Subject{}, fmt.Errorf("cannot tell which snapshot fits: %w", err)
	}
	var images []string
	for _, role := range slices.Sorted(maps.Keys(id.Images)) {
		if sum := id.Images[role]; sum != "" {
			images = append(images, sum)
		}
	}
	return snapshot.NewSubject(string(o.settings.Kind), id, images)
}

func (o options) identity() (identity, error) {
	id := identity{Revision: identityRevision, Emulator: o.emulator.Version, Images: map[string]string{}, Machine: o.settings.Machine}
	p, s := o.parts, o.settings
	s.Name, s.LogDir, s.Scale, s.Silence, s.Longest = "", "logs", 1, 0, 0
	spec, _, err := compose(p, s)
	if err != nil {
		return id, err
	}
	id.Spec = spec
	if id.Initramfs, err = p.sums(early(p)); err != nil {
		return id, err
	}
	if id.Guest, err = p.sums(guestEarly(p.Guest)); err != nil {
		return id, err
	}
	for role, path := range map[string]*string{
		"kernel": &p.Kernel, "modules": &p.Modules, "root": &p.Root, "qemu": &p.QEMU, "xen": &p.Xen, "medium": &p.Medium, "client": &p.Client, "emulator": &o.emulator.Usr,
	} {
		if *path, err = o.parts.sum(*path); err != nil {
			return id, err
		}
		id.Images[role] = *path
	}
	if id.CommandLine, err = commandLine(p, s, o.emulator, places{"sockets", "files", "memory", "peer"}, false); err != nil {
		return id, err
	}
	return id, nil
}

// sum is the SHA-256 of a file, empty for none.
func (p Parts) sum(path string) (string, error) {
	if sum, known := p.Sums[path]; known || path == "" {
		return sum, nil
	}
	sum, _, err := disk.Digest(path)
	return sum, err
}

// sums are the SHA-256 of files, each with its name.
func (p Parts) sums(files []earlyFile) ([][2]string, error) {
	var sums [][2]string
	for _, f := range files {
		sum, err := p.sum(f.source)
		if err != nil {
			return nil, err
		}
		sums = append(sums, [2]string{f.name, sum})
	}
	return sums, nil
}
