package xen

import (
	"fmt"
	"maps"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// grubs is where Debian has the loaders that are kernels of Xen guests (grub-xen-host).
const grubs = "/usr/lib/grub-xen/"

// fromImage is a word in the command line of what an image boots, and of nothing else.
const fromImage = "virtmatrix.from=image"

// bootDisk makes a disk image with a partition table and one file system, as an
// installed guest has: its kernel and initial RAM disk, and a menu of GRUB with two
// entries, of which the first boots.
func bootDisk(t *steps.T, g domain.Guest) (path string) {
	path = t.Scratch(g.Name + ".img")
	root := t.Scratch(g.Name + ".root")
	t.Sh(fmt.Sprintf("mkdir -p %[1]s/boot/grub && cp %[2]s %[1]s/boot/vmlinuz && cp %[3]s %[1]s/boot/initrd", root, g.Kernel, g.Initrd))
	entry := "menuentry '%s' {\n\tlinux /boot/vmlinuz " + domain.XenArgs(g) + " " + fromImage + " %s\n\tinitrd /boot/initrd\n}\n"
	t.Put(root+"/boot/grub/grub.cfg", fmt.Sprintf("set default=0\nset timeout=0\n"+entry+entry, "first", "", "second", "single"))
	// An MBR with a partition from sector 2048 on, for 126976 sectors.
	t.Sh(fmt.Sprintf(`set -e; truncate -s 64M %[1]s; mkfs.ext4 -q -F -d %[2]s -E offset=1048576 %[1]s 62M; rm -r %[2]s
printf '\200\000\000\000\203\000\000\000\000\010\000\000\000\360\001\000' | dd of=%[1]s bs=1 seek=446 conv=notrunc status=none
printf '\125\252' | dd of=%[1]s bs=1 seek=510 conv=notrunc status=none`, path, root))
	return path
}

// fromDisk starts a guest that has its kernel from a disk image, as its configuration
// says besides, and returns it once it has spoken.
func fromDisk(t *steps.T, own domain.XL) (guest *steps.Guest, disk string) {
	g := t.NewGuest()
	disk = bootDisk(t, g)
	all := domain.XL{"kernel": nil, "ramdisk": nil, "extra": nil, "disk": []string{"format=raw,vdev=xvda,access=rw,target=" + disk}}
	maps.Copy(all, own)
	guest = t.XlCreate(g, all)
	// What is asked before the guest listens is keys to its boot loader.
	t.Until(sayLimit, "the guest speaks", func() bool {
		log := domain.XenConsoleLog(g.Name)
		if t.Run("grep -qaF 'Failed to boot' " + log).OK() {
			t.Fail(t.Layer, "the boot loader boots nothing: %s", t.Sh("grep -aoE 'error: [^.]*' "+log))
		}
		return guest.HasSpoken()
	})
	t.Expect(guest.WaitReady().Kernel).To(Equal(t.KernelRelease()))
	t.Expect(guest.Kernel().Cmdline).To(ContainSubstring(fromImage), "the command line of the image's menu")
	guest.WaitDiskNamed("xvda", true)
	return guest, disk
}

var _ = check.Register("IX-PYGRUB", check.Spec{
	Asserts:  "pygrub lists the menu of a disk image's GRUB, and boots its first entry",
	Requires: stack,
	Depends:  depends,
	Control:  sabotage.Wrap("xl", "an xl that starts no boot loader", `case "$1" in create) sed -i /^bootloader/d $2;; esac; exec $REAL "$@"`),
}, func(t *steps.T) {
	_, disk := fromDisk(t, domain.XL{"bootloader": "pygrub"})
	t.Expect(t.Sh(t.Layout().Toolstack+"/pygrub -l "+disk)).To(And(ContainSubstring("first"), ContainSubstring("second")), "the entries that pygrub lists")
})

var _ = check.Register("IX-PVGRUB", check.Spec{
	Asserts:  "GRUB as the kernel of a PV guest reads the menu of its disk, and boots the first entry",
	Requires: stack,
	Depends:  depends,
	Control:  sabotage.Command("a GRUB that is none", "echo >"+grubs+"grub-x86_64-xen.bin"),
}, func(t *steps.T) { fromDisk(t, domain.XL{"kernel": grubs + "grub-x86_64-xen.bin"}) })

// What the Virtualization SIG does each night by hand and by script.
var _ = check.Register("IX-JOURNEY", check.Spec{
	Asserts:  "A guest is made from a disk image by pygrub on a bridge with DHCP, gets its lease, answers who connects, and is destroyed without a trace",
	Requires: stack,
	Depends:  depends,
	Control:  sabotage.Wrap("xl", "an xl that gives no guest a card", `case "$1" in create) sed -i /^vif/d $2;; esac; exec $REAL "$@"`),
}, func(t *steps.T) {
	const mac = "00:16:3e:00:00:03"
	t.OwnBridge(bridge, gateway, "--dhcp-range="+leases)
	g, _ := fromDisk(t, domain.XL{"bootloader": "pygrub", "vif": []string{"mac=" + mac + ",bridge=" + bridge}})
	meets(t, g, mac)
	id := g.DomID()
	t.Xl("destroy " + g.Name)
	t.XlGone(g, goneLimit)
	t.Until(goneLimit, "xenstore, bridge and list have nothing of the guest", func() bool {
		return t.Run("! xenstore-exists /local/domain/" + id + " && ! ls /sys/class/net | grep '^vif" + id + "' && ! xl list | grep '(null)'").OK()
	})
})
