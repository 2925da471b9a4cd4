package steps

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/matrix"
	"libvirt.org/go/libvirtxml"
)

// StorageHosts are hosts that have what libvirt's pools of devices and of servers take. From
// 11.x on each type of pool is a package of its own.
func StorageHosts() matrix.Hosts {
	names := []string{"lvm2", "nfs-common", "nfs-kernel-server", "open-iscsi", "parted", "udev"}
	for _, typ := range []string{"disk", "iscsi", "logical", "scsi"} {
		names = append(names, "libvirt-daemon-driver-storage-"+typ+" | libvirt-daemon")
	}
	return matrix.Hosts{AddOns: names}
}

// Udev has udev name the devices of the host until the check is over, as on any host but ours:
// LVM waits for it, and what a server shows is found by its links. LVM waits ten seconds in each
// command for each disk that was there before udev and that udev has not been told of.
func (t *T) Udev() {
	t.Sh("/usr/lib/systemd/systemd-udevd --daemon && udevadm trigger --subsystem-match=block --action=add && udevadm settle")
	t.Cleanup(func() { t.Run("udevadm control --exit") })
}

// StartLogicalPool makes a volume group of a device of that many bytes, by a pool of libvirt's,
// which runs.
func (t *T) StartLogicalPool(bytes int64) *Pool {
	t.Udev()
	device := t.LoopDevice(t.DiskImage("group", bytes), "")
	p := t.DefinePoolOf(libvirtxml.StoragePool{Type: "logical", Source: &libvirtxml.StoragePoolSource{Device: []libvirtxml.StoragePoolSourceDevice{{Path: device}}}})
	p.Path = "/dev/" + p.Name
	t.Cleanup(func() {
		t.Run("virsh pool-destroy " + p.Name + "; vgremove -ff -y " + p.Name + "; pvremove -ff -y " + device)
	})
	p.Build()
	p.Start()
	return p
}

// NFSServer is the host's own kernel, which serves a file system to the host by NFS 4.
type NFSServer struct {
	t *T
	// Folder is the file system as the server has it.
	Folder string
}

// ServeNFS serves a new file system until the check is over, with further options of exports(5).
// Everyone may make files in it.
func (t *T) ServeNFS(options string) *NFSServer {
	n := &NFSServer{t: t, Folder: "/srv/" + t.Check}
	image := t.DiskImage("served", 256<<20)
	t.RemoveAfter(n.Folder)
	t.Cleanup(func() {
		t.Run("exportfs -ua; pkill rpc.mountd; rpc.nfsd 0; umount /proc/fs/nfsd " + n.Folder)
	})
	// The server's root is the export's: its own, in memory, can be no part of one. It has no
	// clients from before to wait for, which Linux 7.2 may know by itself, and refuses to be told.
	t.Sh(fmt.Sprintf("modprobe nfsd && mount -t nfsd nfsd /proc/fs/nfsd; mkfs.ext4 -q %[1]s && mkdir -p %[2]s && mount -o loop %[1]s %[2]s && rmdir %[2]s/lost+found && chmod 777 %[2]s && "+
		"exportfs -o rw,no_subtree_check,fsid=0,%[3]s 127.0.0.1:%[2]s && rpc.mountd && echo 10 >/proc/fs/nfsd/nfsv4gracetime && rpc.nfsd -N 3 -V 4 2 && { echo Y >/proc/fs/nfsd/v4_end_grace || true; }", image, n.Folder, options))
	return n
}

// Has is the path of a file as the server has it.
func (n *NFSServer) Has(name string) string { return n.Folder + "/" + name }

// StartPool mounts what it serves by a pool of libvirt's.
func (n *NFSServer) StartPool() *Pool {
	p := n.t.DefinePoolOf(libvirtxml.StoragePool{Type: "netfs", Source: &libvirtxml.StoragePoolSource{
		Host: []libvirtxml.StoragePoolSourceHost{{Name: "127.0.0.1"}}, Dir: &libvirtxml.StoragePoolSourceDir{Path: "/"},
		Format: &libvirtxml.StoragePoolSourceFormat{Type: "nfs"},
	}})
	n.t.Cleanup(func() { n.t.Run("umount -f " + p.Path) })
	p.Build()
	p.Start()
	return p
}

// Silence has no packet reach it, as if its machine were gone, until it is called with false.
func (n *NFSServer) Silence(silent bool) {
	if silent {
		n.t.Cleanup(func() { n.t.Run("nft delete table inet vmnfs 2>/dev/null") })
		n.t.Sh("nft 'add table inet vmnfs; add chain inet vmnfs silent { type filter hook input priority 0; }; add rule inet vmnfs silent tcp dport 2049 drop'")
		return
	}
	n.t.Sh("nft delete table inet vmnfs")
}

// TargetSerial is the serial number of the disks that the host's kernel serves.
const TargetSerial = "vmtarget1"

// configfs is where the kernel's own SCSI targets are made (Documentation/target).
const configfs = "/sys/kernel/config/target"

// storageTarget makes a SCSI disk of an image in the kernel, for a server of it.
func (t *T) storageTarget(name string, bytes int64) (image, backend string) {
	image, backend = t.DiskImage(name, bytes), configfs+"/core/fileio_7/"+name
	t.Sh(fmt.Sprintf("modprobe -a target_core_mod target_core_file && (mountpoint -q /sys/kernel/config || mount -t configfs configfs /sys/kernel/config) && "+
		"mkdir -p %[1]s && echo fd_dev_name=%[2]s,fd_dev_size=%[3]d >%[1]s/control && echo 1 >%[1]s/enable && echo %[4]s >%[1]s/wwn/vpd_unit_serial", backend, image, bytes, TargetSerial))
	t.Cleanup(func() { t.Run("rmdir " + backend + " $(dirname " + backend + ")") })
	return image, backend
}

// ServeISCSI serves an image by iSCSI on the host's own address until the check is over, and has
// the host's initiator run. It returns the target's name.
func (t *T) ServeISCSI(bytes int64) (iqn, image string) {
	t.Udev()
	iqn = "iqn.2026-01.example:" + strings.ToLower(t.Check)
	image, backend := t.storageTarget("lun", bytes)
	portal := configfs + "/iscsi/" + iqn + "/tpgt_1"
	t.Cleanup(func() {
		t.Run(fmt.Sprintf("iscsiadm -m session -u; pkill iscsid; cd %[1]s && echo 0 >enable; rm lun/lun_0/disk; rmdir lun/lun_0 np/*; cd / && rmdir %[1]s %[1]s/.. ", portal))
	})
	t.Sh(fmt.Sprintf("modprobe -a iscsi_target_mod iscsi_tcp && mkdir -p %[1]s && mkdir %[1]s/lun/lun_0 %[1]s/np/127.0.0.1:3260 && ln -s %[2]s %[1]s/lun/lun_0/disk && cd %[1]s && "+
		"echo 0 >attrib/authentication && echo 1 >attrib/generate_node_acls && echo 0 >attrib/demo_mode_write_protect && echo 1 >enable && "+
		"echo InitiatorName=%[3]s-host >/etc/iscsi/initiatorname.iscsi && iscsid", portal, backend, iqn))
	return iqn, image
}

// ServeVhostSCSI has the kernel be a SCSI controller of a guest, with a disk of an image, until
// the check is over.
func (t *T) ServeVhostSCSI(bytes int64) (wwpn, image string) {
	wwpn = "naa.5001405000000001"
	image, backend := t.storageTarget("lun", bytes)
	portal := configfs + "/vhost/" + wwpn + "/tpgt_1"
	t.Cleanup(func() {
		t.Run(fmt.Sprintf("cd %[1]s && rm lun/lun_0/disk; rmdir lun/lun_0; echo NULL >nexus; cd / && rmdir %[1]s %[1]s/..", portal))
	})
	t.Sh(fmt.Sprintf("modprobe vhost_scsi && mkdir -p %[1]s && mkdir %[1]s/lun/lun_0 && echo naa.5001405000000002 >%[1]s/nexus && ln -s %[2]s %[1]s/lun/lun_0/disk", portal, backend))
	return wwpn, image
}

// SCSIDisk is a disk that the host's kernel pretends to have, by its scsi_debug.
type SCSIDisk struct {
	// Device is its node, and Serial its number, which only a command of SCSI tells.
	Device, Serial string
	// Host is the number of its SCSI host; its target and unit are 0.
	Host int
}

// PretendSCSIDisk has the kernel pretend, with a disk of so many MiB, until the check is over.
func (t *T) PretendSCSIDisk(mib int) (d SCSIDisk) {
	t.Cleanup(func() { t.Run("rmmod scsi_debug") })
	t.Sh(fmt.Sprintf("modprobe -a sd_mod sg && modprobe scsi_debug dev_size_mb=%d", mib))
	const disks = "/sys/bus/pseudo/drivers/scsi_debug/adapter0/host*/target*/*:0:0:0"
	t.Until(callLimit, "the kernel has its disk", func() bool { return t.Run("test -b /dev/$(ls " + disks + "/block)").OK() })
	words := strings.Fields(t.Sh("cd " + disks + " && ls block && basename $PWD | cut -d: -f1 && tail -c +5 vpd_pg80 | tr -d '\\0 '"))
	d.Device, d.Serial = "/dev/"+words[0], words[2]
	number, err := strconv.Atoi(words[1])
	t.must(err, "read the number of a SCSI host")
	d.Host = number
	return d
}

// Owner is whose a file or device of L1 is: "user:group" by their names.
func (t *T) Owner(path string) string { return t.Sh("stat -L -c %U:%G " + host.Quote(path)) }

// OwnerFor is whose a device is in the /dev of a guest's emulator, which libvirt makes for it.
func (t *T) OwnerFor(d *Domain, path string) string {
	return strings.TrimSpace(t.Run("nsenter -m -t $(" + emulatorOf(d.Name) + ") stat -L -c %U:%G " + host.Quote(path) + " 2>/dev/null").Text())
}
