package host

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/virtmatrix/virtmatrix/internal/agent"
	"github.com/virtmatrix/virtmatrix/internal/snapshot"
	"github.com/virtmatrix/virtmatrix/internal/store/disk"
	"golang.org/x/crypto/blake2b"
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
	// Spec and Initramfs are at scale 1: how long the harness is patient leaves
	// nothing behind in a host that is ready. The digest of the initramfs covers
	// the agent, the early modules, the checks' programs and what L2 boots.
	Spec      agent.Spec `json:"spec"`
	Initramfs string     `json:"initramfs"`
	// Images are SHA-256 by what the image is for; empty for none.
	Images map[string]string `json:"images"`
	// Processor is L0's, which L1's is like when it is not emulated.
	Processor string `json:"processor,omitempty"`
}

// identityRevision goes up when a host that is ready becomes something else by a
// change of this package alone.
const identityRevision = 1

// subject tells which snapshot the host of this order could be restored from.
func (o order) subject() (snapshot.Subject, error) {
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

func (o order) identity() (identity, error) {
	id := identity{Revision: identityRevision, Emulator: o.emulator.Version, Images: map[string]string{}}
	p, s := o.parts, o.settings
	s.Name, s.LogDir, s.Scale, s.Silence, s.Longest = "", "logs", 1, 0, 0
	spec, _, err := compose(p, s)
	if err != nil {
		return id, err
	}
	id.Spec = spec
	if id.Initramfs, err = initramfsDigest(p, spec); err != nil {
		return id, err
	}
	for role, path := range map[string]*string{
		"kernel": &p.Kernel, "modules": &p.Modules, "root": &p.Root, "qemu": &p.QEMU, "xen": &p.Xen, "emulator": &o.emulator.Usr,
	} {
		if *path, err = o.parts.sum(*path); err != nil {
			return id, err
		}
		id.Images[role] = *path
	}
	if id.CommandLine, err = commandLine(p, s, o.emulator, places{"sockets", "files"}); err != nil {
		return id, err
	}
	if s.Accel == "kvm" {
		id.Processor, err = processor()
	}
	return id, err
}

// sum is the SHA-256 of an image, empty for none.
func (p Parts) sum(path string) (string, error) {
	if sum, known := p.Sums[path]; known || path == "" {
		return sum, nil
	}
	sum, _, err := disk.Digest(path)
	return sum, err
}

func initramfsDigest(p Parts, spec agent.Spec) (string, error) {
	text, err := json.Marshal(spec)
	if err != nil {
		return "", err
	}
	h, err := blake2b.New256(nil)
	if err != nil {
		return "", err
	}
	if err := packInitramfs(h, p, text); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// processor describes what an accelerated L1 sees of L0: its first processor, and
// the kernel whose KVM stands between.
func processor() (string, error) {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "", err
	}
	first, _, _ := bytes.Cut(info, []byte("\n\n"))
	var kept []byte
	for line := range bytes.Lines(first) {
		for _, name := range []string{"vendor_id", "model", "stepping", "microcode", "flags"} {
			if bytes.HasPrefix(line, []byte(name)) {
				kept = append(kept, line...)
			}
		}
	}
	kernel, err := os.ReadFile("/proc/sys/kernel/osrelease")
	return string(append(kept, kernel...)), err
}
