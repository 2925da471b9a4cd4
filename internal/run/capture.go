package run

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/virtmatrix/virtmatrix/fixtures"
	"github.com/virtmatrix/virtmatrix/internal/admit"
	"github.com/virtmatrix/virtmatrix/internal/bzimage"
	"github.com/virtmatrix/virtmatrix/internal/capture"
	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/owner"
	"github.com/virtmatrix/virtmatrix/internal/progress"
	"github.com/virtmatrix/virtmatrix/internal/source/registry"
	"github.com/virtmatrix/virtmatrix/internal/source/tool"
	"github.com/virtmatrix/virtmatrix/internal/store"
	"github.com/virtmatrix/virtmatrix/internal/store/disk"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// carriers are the images that have a component, the one under test first: the
// userland of a bundled cell has an emulator of its own, too.
var carriers = map[matrix.Component][]string{
	matrix.Linux:   {fixtures.KernelCloud, fixtures.KernelFull},
	matrix.QEMU:    {fixtures.QEMU, fixtures.UserlandKVM},
	matrix.Libvirt: {fixtures.UserlandKVM, fixtures.UserlandXen},
	matrix.XenHyp:  {fixtures.UserlandXen},
}

// carriersOf are the images that have a kind.
func carriersOf(k capture.Kind) []string {
	if k.Name == capture.Hypervisor {
		return []string{fixtures.Xen}
	}
	return carriers[k.Component]
}

// kindsOf are the kinds of a component that an image has.
func kindsOf(image store.Image, component matrix.Component) (names []string) {
	for _, k := range capture.KindsOf(component) {
		if slices.Contains(carriersOf(k), image.Meta.Spec.Role) {
			names = append(names, k.Name)
		}
	}
	return names
}

// Capture returns what a cell's image of the kind's component offers. It is taken where
// it is not at hand. Its errors are ours.
func (h *Hosts) Capture(ctx context.Context, cell *matrix.Cell, kind string) (capture.Set, error) {
	k, err := capture.KindNamed(kind)
	if err != nil {
		return capture.Set{}, fault.Infraf("capture "+kind, "%w", err)
	}
	for _, role := range carriersOf(k) {
		if ref, ok := cell.Image(role); ok {
			return h.driver.capture(ctx, h.images.byRef[ref], k, h.programs[capture.Program])
		}
	}
	return capture.Set{}, fault.Infraf("capture "+kind, "cell %s has no %s", cell.ID, k.Component)
}

// capture returns the set of a kind of an image. program takes it.
func (d *Driver) capture(ctx context.Context, image store.Image, k capture.Kind, program string) (capture.Set, error) {
	op := fmt.Sprintf("capture %s of image %s", k.Name, image.Name)
	sum, _, err := disk.Digest(program)
	if err != nil {
		return capture.Set{}, fault.Infraf(op, "%w", err)
	}
	// Another program may see another thing.
	key := sha256.Sum256(fmt.Appendf(nil, "%s %s %d", image.Content(), sum, capture.Format))
	set, err := capture.In(d.config.Home).Set(ctx, fmt.Sprintf("%s-%s-%.12x", k.Component, image.Name, key), k.Name, func(ctx context.Context) ([]capture.Set, error) {
		return d.takeCaptures(ctx, image, k.Component, program)
	})
	if err != nil {
		return set, fault.OrInfra(op, err)
	}
	return set, nil
}

// captureLimit bounds how long the captures of a component may take: seconds, and
// minutes where others want the processors.
const captureLimit = 30 * time.Minute

// captureNeed is what taking captures takes of the machine.
var captureNeed = admit.Need{MemoryMB: 768, Processors: 1}

// takeCaptures takes all captures of a component in the root of its image.
func (d *Driver) takeCaptures(ctx context.Context, image store.Image, component matrix.Component, program string) ([]capture.Set, error) {
	subject, err := d.subject(image, component)
	if err != nil {
		return nil, err
	}
	request := capture.Request{Kinds: kindsOf(image, component), Subject: subject}
	if err := d.describe(ctx, image, &request); err != nil {
		return nil, err
	}
	text, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	need := captureNeed
	need.What = "captures of " + subject
	claim, err := d.room.Enter(ctx, need, func(why string) {
		d.tell(progress.Event{Phase: progress.Waiting, Image: image.Name, Text: why})
	})
	if err != nil {
		return nil, err
	}
	defer claim.Release()
	ctx, cancel := context.WithTimeoutCause(ctx, captureLimit, fmt.Errorf("captures of %s were not taken within %s", subject, captureLimit))
	defer cancel()
	return d.inRoot(ctx, image, program, text)
}

// describe tells the program of an image what it cannot find out in its root.
func (d *Driver) describe(ctx context.Context, image store.Image, r *capture.Request) (err error) {
	switch image.Meta.Spec.Role {
	case fixtures.KernelCloud, fixtures.KernelFull:
		if r.Kernel, err = bzimage.Read(ctx, image.Path(fixtures.KernelFile)); err != nil {
			return err
		}
		r.Config, err = d.shippedText(ctx, image, "CONFIG_", "./boot/config-*", "*/lib/modules/*/config")
	case fixtures.Xen:
		if r.Config, err = d.shippedText(ctx, image, "CONFIG_", "./boot/xen-*.config"); err != nil {
			return err
		}
		if r.Headers, err = d.shippedText(ctx, image, "INTERFACE_VERSION", "./usr/include/xen/xen.h", "./usr/include/xen/domctl.h", "./usr/include/xen/sysctl.h"); err != nil {
			return err
		}
		r.Parameters, err = d.shippedText(ctx, image, "parameter-details", "*/misc/xen-command-line.html")
	default:
		r.Layout, err = fixtures.Layout(ctx, image, d.store)
	}
	return err
}

// inRoot runs the program in the root of an image.
func (d *Driver) inRoot(ctx context.Context, image store.Image, program string, request []byte) ([]capture.Set, error) {
	folder, err := owner.NewFolder(d.config.Runtime, "cap-")
	if err != nil {
		return nil, err
	}
	defer folder.Remove()
	out, _, err := tool.Run(ctx, tool.Command{
		// Daemons make networks where they may.
		Argv:  append([]string{"unshare", "--net", "sh", "-ec", enterRoot, "capture", folder.Path, program}, rootOf(image)...),
		Stdin: bytes.NewReader(request), Isolated: true,
	})
	if err != nil {
		return nil, fault.Cause(ctx, err)
	}
	var sets []capture.Set
	if err := json.Unmarshal(out, &sets); err != nil {
		return nil, fmt.Errorf("cannot read what %s printed: %w", capture.Program, err)
	}
	return sets, nil
}

// enterRoot makes a root of an image that takes what is written to it, and runs the
// program in it. All mounts end with their namespace. The shell stays the namespace's
// first process, because it waits for what daemons leave behind: libvirt waits long for an
// emulator that it has probed to be gone, and one that nobody waits for never is.
const enterRoot = `mount -t tmpfs -o mode=755 none "$1"
cp "$2" "$1/program"
cd "$1"
mkdir root image upper work
case $4 in
root)
	mount -t squashfs -o ro,loop "$3" image
	mount -t overlay -o lowerdir=image,upperdir=upper,workdir=work none root;;
usr)
	mkdir root/usr root/etc
	mount -t squashfs -o ro,loop "$3" root/usr
	for d in bin sbin lib lib64; do ln -s usr/$d root/$d; done;;
modules)
	mkdir root/modules
	mount -t squashfs -o ro,loop "$3" root/modules;;
empty) ;;
esac
cd root
mkdir -p proc sys dev run tmp
mount -t proc none proc
mount -t sysfs -o ro none sys
for d in dev run tmp; do mount -t tmpfs -o mode=755 none $d; done
mknod -m 666 dev/null c 1 3
mknod -m 666 dev/zero c 1 5
mknod -m 666 dev/random c 1 8
mknod -m 666 dev/urandom c 1 9
cp ../program run/capture
chroot . /run/capture`

// rootOf is the file of an image that has its root, and what of a root it is.
func rootOf(image store.Image) []string {
	for _, f := range image.Meta.Files {
		switch f.Path {
		case fixtures.RootFile:
			return []string{image.Path(f.Path), "root"}
		case fixtures.UsrFile:
			return []string{image.Path(f.Path), "usr"}
		}
	}
	if image.Meta.Spec.Role == fixtures.Xen {
		return []string{"", "empty"}
	}
	return []string{image.Path(fixtures.ModulesFile), "modules"}
}

// subject names the component of an image with the version of its package.
func (d *Driver) subject(image store.Image, component matrix.Component) (string, error) {
	spec := image.Meta.Spec
	recipe, err := d.recipes.Recipe(spec.Role, spec.Release)
	if err != nil {
		return "", err
	}
	version, ok := recipe.LeadVersion(component, spec.Packages)
	if !ok {
		return "", fmt.Errorf("image %s has no %s", image.Name, component)
	}
	return fmt.Sprintf("%s %s", component, version), nil
}

// shippedText is the text of files, with a word in it, that only the packages of an image
// have: a kernel's configuration is in /boot, or beside the modules from 7.x on.
func (d *Driver) shippedText(ctx context.Context, image store.Image, word string, wildcards ...string) (string, error) {
	set := image.Meta.Spec.Packages
	for _, p := range set.Packages {
		text, err := registry.Text(ctx, d.config.Home, &set, p, wildcards...)
		if err != nil {
			return "", fmt.Errorf("%w; remove image %s (virtmatrix gc -images %s), and it and its packages come again", err, image.Name, image.Name)
		}
		if strings.Contains(string(text), word) {
			return string(text), nil
		}
	}
	return "", fmt.Errorf("none of the packages of image %s has %s", image.Name, strings.Join(wildcards, " or "))
}
