package steps

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/internal/layout"
)

// Image is a file of L1 as it stands.
type Image struct {
	// Mode is octal, Owner "user:group" by their names, Hash that of the content.
	Mode, Owner, Hash string
}

// Images are files of L1 by path.
type Images map[string]Image

// Images looks at the files at and below paths of L1. A path that is not there has none.
func (t *T) Images(paths ...string) Images {
	quoted := make([]string, len(paths))
	for i, p := range paths {
		quoted[i] = host.Quote(p)
	}
	images := Images{}
	// find prints what it has before it runs another program.
	listed := t.Sh("find " + strings.Join(quoted, " ") + ` -type f -printf '%m %u:%g ' -exec sha256sum {} \; 2>/dev/null || true`)
	for line := range strings.Lines(listed) {
		facts, path, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "  ")
		words := strings.Fields(facts)
		if !ok || len(words) != 3 {
			t.must(fault.Infraf("list images", "find printed %q", line), "")
		}
		images[path] = Image{Mode: words[0], Owner: words[1], Hash: words[2]}
	}
	return images
}

// WithoutOwners are the images with everything but their owners, which change while a
// guest runs, and of what it only reads (libvirt's virSecurityDACRestoreImageLabelInt).
func (now Images) WithoutOwners() Images {
	bare := Images{}
	for path, image := range now {
		image.Owner = ""
		bare[path] = image
	}
	return bare
}

// Since tells in what the images differ from what they were before, by path.
func (now Images) Since(before Images) (changes []string) {
	all := maps.Clone(now)
	maps.Copy(all, before)
	for _, path := range slices.Sorted(maps.Keys(all)) {
		was, there := before[path]
		is, still := now[path]
		switch {
		case !there:
			changes = append(changes, path+" is new")
			continue
		case !still:
			changes = append(changes, path+" is gone")
			continue
		}
		if is.Hash != was.Hash {
			changes = append(changes, path+" has another content")
		}
		if is.Mode != was.Mode {
			changes = append(changes, fmt.Sprintf("%s has mode %s, had %s", path, is.Mode, was.Mode))
		}
		if is.Owner != was.Owner {
			changes = append(changes, fmt.Sprintf("%s is of %s, was of %s", path, is.Owner, was.Owner))
		}
	}
	return changes
}

// OpenToOthers lists the images with which others than their owner and group may do
// anything.
func (now Images) OpenToOthers() (open []string) {
	for _, path := range slices.Sorted(maps.Keys(now)) {
		if mode := now[path].Mode; !strings.HasSuffix(mode, "0") {
			open = append(open, path+" has mode "+mode)
		}
	}
	return open
}

// QEMUImg is where the host has qemu-img.
func (t *T) QEMUImg() string { return t.Program(layout.QEMUImg) }

// NewImage makes an image in L1 with qemu-img, whose further options may follow.
func (t *T) NewImage(name, format string, bytes int64, options ...string) (path string) {
	path = t.Scratch(name + "." + format)
	t.Sh(fmt.Sprintf("%s create -q -f %s %s %s %d", t.QEMUImg(), format, strings.Join(options, " "), path, bytes))
	return path
}

// LoopDevice makes a block device of the host of a file, with further options of losetup.
func (t *T) LoopDevice(file, options string) (device string) {
	device = t.Sh("modprobe loop; losetup --show -f " + options + " " + host.Quote(file))
	t.Cleanup(func() { t.Run("losetup -d " + device) })
	return device
}

// ImageInfo is what qemu-img says of an image.
type ImageInfo struct {
	Format        string
	Bytes         int64  `json:"virtual-size"`
	Backing       string `json:"backing-filename"`
	BackingFormat string `json:"backing-filename-format"`
}

// ImageInfo asks qemu-img about an image, which a guest may be using.
func (t *T) ImageInfo(path string) (info ImageInfo) {
	said := t.Sh(t.QEMUImg() + " info -U --output=json " + host.Quote(path))
	if err := json.Unmarshal([]byte(said), &info); err != nil {
		t.must(fault.Infraf("read what qemu-img says", "%w: %q", err, said), "")
	}
	return info
}

// ForgetBackingFormat takes the format of the backing file out of the header of a qcow2
// image, as images from before qemu-img 6.1 may lack it: an extension of another
// number is skipped (qemu's docs/interop/qcow2.txt).
func (t *T) ForgetBackingFormat(path string) {
	q := host.Quote(path)
	t.Sh(`at=$(head -c 4096 ` + q + ` | LC_ALL=C grep -obUaP '\xe2\x79\x2a\xca' | head -n 1 | cut -d: -f1) && test -n "$at" && printf virt | dd of=` + q + ` bs=1 seek=$at conv=notrunc status=none`)
	t.Expect(t.ImageInfo(path).BackingFormat).To(gomega.BeEmpty(), "backing format in the header of "+path)
}
