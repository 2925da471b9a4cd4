package imagecheck

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/diskfs/go-diskfs/backend"
	"github.com/diskfs/go-diskfs/backend/file"
	"github.com/diskfs/go-diskfs/partition/gpt"
	"github.com/diskfs/go-diskfs/partition/mbr"
	"github.com/lima-vm/go-qcow2reader/image/qcow2"
)

// link makes a file of a sample a symbolic link.
const link = "-> "

const rootUUID = "11111111-2222-4333-8444-555555555555"

// debian is an image as Debian's generic cloud images are laid out.
var debian = map[string]string{
	"etc/os-release":          link + "../usr/lib/os-release",
	"usr/lib/os-release":      "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\n",
	"etc/passwd":              "root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1::/usr/sbin:/usr/sbin/nologin\n",
	"etc/shadow":              "root:*:19000:0:99999:7:::\ndaemon:*:19000:0:99999:7:::\n",
	"etc/machine-id":          "uninitialized\n",
	"etc/hostname":            "localhost\n",
	"etc/fstab":               "# made by the build\nUUID=" + rootUUID + " / ext4 rw,discard 0 1\nLABEL=EFI /boot/efi vfat defaults 0 0\ntmpfs /tmp tmpfs defaults 0 0\n",
	"etc/localtime":           link + "/usr/share/zoneinfo/Etc/UTC",
	"etc/ssh/sshd_config":     "PasswordAuthentication no\n",
	"etc/cloud/cloud.cfg":     "users: [default]\n",
	"usr/bin/cloud-init":      "#!/usr/bin/python3\n",
	"usr/bin/growpart":        "#!/bin/sh\n",
	"usr/sbin/sshd":           "\x7fELF",
	"boot/grub/grub.cfg":      "menuentry 'Debian' {\n\tlinux /boot/vmlinuz root=UUID=" + rootUUID + " ro console=tty0 console=ttyS0,115200\n\tinitrd /boot/initrd.img\n}\n",
	"root/.bashrc":            "umask 022\n",
	"var/lib/cloud/seed/":     "",
	"var/log/":                "",
	"var/lib/dbus/machine-id": link + "/etc/machine-id",

	"etc/systemd/system/cloud-init.target.wants/cloud-init.service": link + "/lib/systemd/system/cloud-init.service",
	"etc/systemd/system/multi-user.target.wants/ssh.service":        link + "/lib/systemd/system/ssh.service",
}

// el is an image as those of Enterprise Linux are.
var el = with(debian, map[string]string{
	"usr/lib/os-release":                "PRETTY_NAME=\"CentOS Stream 9\"\nID=\"centos\"\nID_LIKE=\"rhel fedora\"\n",
	"etc/shadow":                        "root:!!:19000:0:99999:7:::\ndaemon:*:19000:0:99999:7:::\n",
	"etc/selinux/config":                "# comment\nSELINUX=enforcing\nSELINUXTYPE=targeted\n",
	"boot/grub/grub.cfg":                gone,
	"boot/grub2/grubenv":                "# GRUB Environment Block\nkernelopts=root=UUID=" + rootUUID + " ro console=tty0 console=ttyS0,115200n8\n####\n",
	"boot/loader/entries/a-5.14.0.conf": "title CentOS\nlinux /vmlinuz-5.14.0\noptions $kernelopts no_timer_check\n",
	"var/cache/dnf/expired_repos.json":  "[]",

	"etc/systemd/system/default.target": link + "/usr/lib/systemd/system/multi-user.target",
})

// gone takes a file out of a sample.
const gone = "\x00gone"

func with(files, more map[string]string) map[string]string {
	all := maps.Clone(files)
	maps.Copy(all, more)
	maps.DeleteFunc(all, func(_, text string) bool { return text == gone })
	return all
}

// Where the sample's partitions are.
const (
	diskBytes = 24 << 20
	bootAt    = 1 << 20
	rootAt    = 2 << 20
	rootBytes = 20 << 20
)

// makeExt4 makes a folder of the files, and of it an ext4 at a place of the disk.
func makeExt4(t *testing.T, path string, at int64, files map[string]string, options ...string) {
	t.Helper()
	if _, err := exec.LookPath("mkfs.ext4"); err != nil {
		t.Skip("images are made by mkfs.ext4; install e2fsprogs")
	}
	dir := t.TempDir()
	for name, text := range files {
		place := filepath.Join(dir, name)
		must(t, os.MkdirAll(filepath.Dir(place), 0o755))
		switch target, isLink := strings.CutPrefix(text, link); {
		case strings.HasSuffix(name, "/"):
			must(t, os.MkdirAll(place, 0o755))
		case isLink:
			must(t, os.Symlink(target, place))
		default:
			must(t, os.WriteFile(place, []byte(text), 0o600))
		}
	}
	args := append([]string{"-q", "-F", "-U", rootUUID, "-L", "cloudroot", "-d", dir, "-E", fmt.Sprintf("offset=%d", at)}, options...)
	if out, err := exec.Command("mkfs.ext4", append(args, path, fmt.Sprint(rootBytes>>10))...).CombinedOutput(); err != nil {
		t.Fatalf("mkfs.ext4: %v: %s", err, out)
	}
}

// makeDisk makes a raw image with a GPT and the files on its last partition.
func makeDisk(t *testing.T, name string, files map[string]string, options ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	must(t, os.WriteFile(path, nil, 0o600))
	must(t, os.Truncate(path, diskBytes))
	makeExt4(t, path, rootAt, files, options...)
	writeGPT(t, path, []*gpt.Partition{
		{Index: 1, Start: rootAt / sector, End: (rootAt+rootBytes)/sector - 1, Type: gpt.LinuxFilesystem, Name: "root"},
		{Index: 14, Start: bootAt / sector, End: rootAt/sector - 1, Type: gpt.BIOSBoot, Name: "bios"},
	})
	return path
}

func writeGPT(t *testing.T, path string, parts []*gpt.Partition) {
	t.Helper()
	writeTable(t, path, &gpt.Table{Partitions: parts, LogicalSectorSize: sector, PhysicalSectorSize: sector, ProtectiveMBR: true})
}

func writeTable(t *testing.T, path string, table interface {
	Write(backend.WritableFile, int64) error
}) {
	t.Helper()
	on, err := file.OpenFromPath(path, false)
	must(t, err)
	defer on.Close()
	w, err := on.Writable()
	must(t, err)
	st, err := on.Stat()
	must(t, err)
	must(t, table.Write(w, st.Size()))
}

// makeMBR is makeDisk with an MBR whose partitions of this type begin and end there, in
// sectors.
func makeMBR(t *testing.T, kind mbr.Type, parts ...[2]uint32) string {
	t.Helper()
	path := makeDisk(t, "x.raw", debian)
	must(t, os.Truncate(path, diskBytes-sector)) // and no GPT is at its end
	poke(t, path, sector, make([]byte, 33*sector)...)
	table := &mbr.Table{LogicalSectorSize: sector, PhysicalSectorSize: sector}
	for i, p := range parts {
		table.Partitions = append(table.Partitions, &mbr.Partition{Index: i + 1, Type: kind, Start: p[0], Size: p[1] - p[0]})
	}
	writeTable(t, path, table)
	return path
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// poke writes into a file.
func poke(t *testing.T, path string, at int64, data ...byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	must(t, err)
	_, err = f.WriteAt(data, at)
	must(t, err)
	must(t, f.Close())
}

func be64(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

const cluster = 1 << 16

// makeQCOW makes a qcow2 of a raw image, as qemu-img convert does: header, L1, refcount
// table and its block, then L2 tables and data.
func makeQCOW(t *testing.T, raw, name string, compressed bool) string {
	t.Helper()
	disk, err := os.ReadFile(raw)
	must(t, err)
	out := make([]byte, 4*cluster)
	place := func(b []byte) uint64 {
		at := uint64(len(out))
		out = append(out, make([]byte, (len(b)+cluster-1)/cluster*cluster)...)
		copy(out[at:], b)
		return at
	}
	l2 := make([]byte, cluster)
	for n := 0; n*cluster < len(disk); n++ {
		data := disk[n*cluster : (n+1)*cluster]
		if len(bytes.Trim(data, "\x00")) == 0 {
			continue
		}
		var entry uint64
		if compressed {
			var b bytes.Buffer
			w, err := flate.NewWriter(&b, flate.BestSpeed)
			must(t, err)
			_, err = w.Write(data)
			must(t, err)
			must(t, w.Close())
			if b.Len() < cluster-sector {
				at := place(b.Bytes())
				entry = entryCompressed | at | uint64((b.Len()+sector-1)/sector-1)<<54
				data = nil
			}
		}
		if data != nil {
			entry = entryCopied | place(data)
		}
		copy(l2[n*8:], be64(entry))
	}
	first := entryCopied | place(l2)
	copy(out[cluster:], be64(first))
	var head bytes.Buffer
	must(t, binary.Write(&head, binary.BigEndian, qcow2.HeaderFieldsV2{
		Magic: qcow2.MagicType([]byte(qcowMagic)), Version: 3, ClusterBits: 16, Size: uint64(len(disk)), L1Size: 1, L1TableOffset: cluster,
		RefcountTableOffset: 2 * cluster, RefcountTableClusters: 1,
	}))
	must(t, binary.Write(&head, binary.BigEndian, qcow2.HeaderFieldsV3{RefcountOrder: 4, HeaderLength: 104}))
	copy(out, head.Bytes())
	copy(out[2*cluster:], be64(3*cluster))
	for n := range len(out) / cluster {
		binary.BigEndian.PutUint16(out[3*cluster+2*n:], 1)
	}
	path := filepath.Join(t.TempDir(), name)
	must(t, os.WriteFile(path, out, 0o600))
	return path
}
