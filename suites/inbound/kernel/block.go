package kernel

import (
	"strconv"
	"strings"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// loop is a loop device of zeros with sectors of a size.
func loop(t *steps.T, file, sector string) (device string) {
	t.Sh("truncate -s 16M " + file)
	t.RemoveAfter(file)
	return t.LoopDevice(file, "-b "+sector)
}

// The emulator's ways to the disk, past the page cache. A write of less than a sector
// has the emulator read the sector first.
var _ = check.Register("IK-AIO", check.Spec{
	Asserts:  "What is written with threads, native AIO and io_uring, past the cache, is on disks of 512 and 4096 byte sectors",
	Requires: []matrix.Requirement{matrix.OwnKernel},
	Depends:  check.On(matrix.Linux, matrix.QEMU, matrix.Libvirt),
	Control:  sabotage.Wrap("qemu-io", "a qemu-io that writes nothing", `case "$*" in *write*) exit 0;; esac; exec $REAL "$@"`),
}, func(t *steps.T) {
	for _, sector := range []string{"512", "4096"} {
		file := t.Scratch("disk" + sector)
		device := loop(t, file, sector)
		for i, way := range []string{"threads", "native", "io_uring"} {
			at := strconv.Itoa(1+i) + "M"
			t.Sh("qemu-io -n -i " + way + " -f raw -c 'write -P 0x5a " + at + " 64k' -c 'write -P 0x59 " + at + " 512' -c flush " + device)
			t.Expect(t.ReadFile(file, int64(1+i)<<20, 1024)).To(Equal(strings.Repeat("Y", 512)+strings.Repeat("Z", 512)), "what %s wrote to a disk of sectors of %s", way, sector)
		}
	}
})

var _ = check.Register("IK-NBD", check.Spec{
	Asserts:  "An image that qemu-nbd attaches is a block device of the kernel, and what is written there is in the image",
	Requires: []matrix.Requirement{matrix.OwnKernel},
	Depends:  check.On(matrix.Linux, matrix.QEMU, matrix.Libvirt),
	Control:  sabotage.Wrap("qemu-nbd", "a server that forgets what is written", `exec $REAL -s "$@"`),
}, func(t *steps.T) {
	image := t.NewImage("disk.qcow2", "qcow2", 8<<20)
	t.Sh("modprobe nbd max_part=4")
	t.Cleanup(func() { t.Run("qemu-nbd -d /dev/nbd0") })
	t.Sh("qemu-nbd -c /dev/nbd0 -f qcow2 " + image + " && until test \"$(cat /sys/block/nbd0/size)\" = 16384; do sleep 0.1; done")
	t.Sh("yes nbd | head -c 65536 | dd of=/dev/nbd0 bs=64k seek=2 oflag=direct conv=fsync status=none && qemu-nbd -d /dev/nbd0")
	t.Expect(t.TextAt(image, 131072, 7)).To(Equal("nbd\nnbd"), "what the image has")
})

// A file system that the userland of a cell makes is one that its kernel mounts.
var _ = check.Register("IK-FS", check.Spec{
	Asserts:  "A file system that the host's tools make is mounted by its kernel, keeps files over a mount, and is clean",
	Requires: []matrix.Requirement{matrix.OwnKernel},
	Depends:  check.On(matrix.Linux, matrix.Libvirt),
	Control:  sabotage.Wrap("mount", "a mount that shows another file system", `case "$*" in *vmfs*) exec $REAL -t tmpfs none /run/vmfs;; esac; exec $REAL "$@"`),
}, func(t *steps.T) {
	device := loop(t, t.Scratch("fs"), "512")
	t.Cleanup(func() { t.Run("umount /run/vmfs; rmdir /run/vmfs") })
	t.Sh("mkfs.ext4 -q " + device + " && mkdir /run/vmfs")
	for _, step := range []string{"yes kept | head -c 3M >/run/vmfs/file", "yes kept | head -c 3M | cmp - /run/vmfs/file"} {
		t.Sh("mount " + device + " /run/vmfs && " + step + "; rc=$?; umount /run/vmfs; exit $rc")
	}
	t.Sh("fsck.ext4 -fn " + device)
})

// thin are tables of device-mapper: a pool of blocks of 64 KiB, and volumes in it
// (Documentation/admin-guide/device-mapper/thin-provisioning.rst).
const thin = `set -e
export DM_DISABLE_UDEV=1 # nobody else makes the nodes
modprobe dm-thin-pool
dmsetup create vmpool --table "0 16384 thin-pool META DATA 128 0"
dmsetup message vmpool 0 "create_thin 0"
dmsetup create vmthin --table "0 8192 thin /dev/mapper/vmpool 0"
yes kept | head -c 1M | dd of=/dev/mapper/vmthin bs=64k oflag=direct status=none
dmsetup suspend vmthin
dmsetup message vmpool 0 "create_snap 1 0"
dmsetup resume vmthin
dmsetup create vmsnap --table "0 8192 thin /dev/mapper/vmpool 1"
yes gone | head -c 1M | dd of=/dev/mapper/vmthin bs=64k oflag=direct status=none`

// LVM's thin volumes are these tables.
var _ = check.Register("IK-LVM", check.Spec{
	Asserts:  "A snapshot of a thin volume keeps what the volume had, and takes room only for what was changed",
	Requires: []matrix.Requirement{matrix.OwnKernel},
	Depends:  check.On(matrix.Linux, matrix.Libvirt),
	Control:  sabotage.Wrap("dmsetup", "a snapshot that is the volume itself", `case "$*" in *vmsnap*) exec $REAL "${@/vmpool 1/vmpool 0}";; esac; exec $REAL "$@"`),
}, func(t *steps.T) {
	meta, data := loop(t, t.Scratch("meta"), "512"), loop(t, t.Scratch("data"), "512")
	t.Cleanup(func() { t.Run("for d in vmsnap vmthin vmpool; do DM_DISABLE_UDEV=1 dmsetup remove $d; done") })
	t.Sh(strings.NewReplacer("META", meta, "DATA", data).Replace(thin))
	t.Expect(t.Sh("dd if=/dev/mapper/vmsnap bs=64k count=1 iflag=direct status=none | head -c 4")).To(Equal("kept"), "what the snapshot has")
	t.Expect(t.Sh("dd if=/dev/mapper/vmthin bs=64k count=1 iflag=direct status=none | head -c 4")).To(Equal("gone"), "what the volume has")
	t.Expect(t.Sh("dmsetup status vmpool")).To(ContainSubstring(" 32/128 "), "blocks of 64 KiB that are taken in the pool: twice 1 MiB")
})
