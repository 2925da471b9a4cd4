// Package media holds the checks of what machines boot from.
package media

import (
	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// The platforms of what firmware boots from a disc (El Torito 1.0; UEFI 2.10, 13.3.2.1).
const (
	platformBIOS = 0
	platformUEFI = 0xef
)

var _ = check.Register("D-MEDIA", check.Spec{
	Asserts:  "The host came from the medium of its cell: its loader, its firmware, its kernel and its root are those of that medium and of the cell's packages",
	Requires: []matrix.Requirement{matrix.OwnKernel, matrix.KVMStack},
	Depends:  check.On("media", string(matrix.Linux)),
	Control:  sabotage.Command("a kernel that another loader started", "echo 255 >/run/other-loader && mount --bind /run/other-loader /proc/sys/kernel/bootloader_type"),
}, func(t *steps.T) {
	t.Expect(t.Sh("uname -r")).To(Equal(t.KernelRelease()), "the kernel that runs")
	switch t.Media() {
	case host.Direct:
		t.Expect(t.Loader()).To(Equal("QEMU"), "what started the kernel")
		t.Expect(t.ByUEFI()).To(BeFalse(), "UEFI firmware of the host")
	case host.OSTree:
		t.Expect(t.Loader()).To(Equal("GRUB"), "what started the kernel")
		t.ExpectDeployment(host.FirstCommit)
	default:
		t.Expect(t.Loader()).To(Equal("GRUB"), "what started the kernel")
		t.Expect(t.ByUEFI()).To(Equal(t.Media() == host.ISOUEFI), "UEFI firmware of the host")
		isFromDisc(t)
	}
})

// isFromDisc asserts that the host has its kernel and root from a disc that both
// firmwares boot.
func isFromDisc(t *steps.T) {
	t.Expect(t.ElTorito(t.Disc())).To(ConsistOf(byte(platformBIOS), byte(platformUEFI)), "the platforms that the disc boots on")
	t.Expect(t.Sh("cat /proc/cmdline")).To(ContainSubstring("BOOT_IMAGE=/"+host.ISOKernel+" "), "the kernel's command line")
	t.Expect(t.DiskNames()).NotTo(Or(ContainElement("root"), ContainElement("modules")), "disks of the host besides the disc")
	t.Expect(t.Mounted()).To(ConsistOf(host.ISORoot, host.ISOModules), "files of the disc that are mounted")
	t.Expect(t.OnMedium(host.ISOKernel)).To(Equal(t.Held("vmlinuz")), "the SHA-256 of the disc's kernel, and of the cell's")
	t.Expect(t.OnMedium(host.ISORoot)).To(Equal(t.Held("root.squashfs")), "the SHA-256 of the disc's root, and of the cell's")
}
