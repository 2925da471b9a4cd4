package lifecycle

import (
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// O-ERR asks about the calls of a life cycle itself.
var _ = check.Register("O-INACTIVE", check.Spec{
	Asserts:  "What needs a running guest is an invalid operation on a domain that is off",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "3.9.0")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU, matrix.XenHyp),
	Control:  sabotage.ChangeCode("virDomainPinVcpuFlags", libvirt.ERR_INTERNAL_ERROR),
}, func(t *steps.T) {
	d := t.Define(domain.WithDisk(t.DiskImage("disk", 1<<20), "raw"))
	for _, op := range needRunning(t, d.Raw) {
		want := libvirt.ERR_OPERATION_INVALID
		if !op.xen {
			want = t.OrNoSupport(want)
		}
		t.Refuses(op.what+" of a domain that is off", want, op.call)
	}
})

// operation is a call that needs a running domain; xen says that the libxl driver has it
// (libxlHypervisorDriver).
type operation struct {
	what string
	xen  bool
	call func() error
}

func needRunning(t *steps.T, d *libvirt.Domain) []operation {
	const live = libvirt.DOMAIN_AFFECT_LIVE
	file := t.Scratch("core")
	return []operation{
		{"reboot", true, func() error { return d.Reboot(0) }},
		{"reset", false, func() error { return d.Reset(0) }},
		{"core dump", true, func() error { return d.CoreDump(file, 0) }},
		{"core dump with format", false, func() error {
			return d.CoreDumpWithFormat(file, libvirt.DOMAIN_CORE_DUMP_FORMAT_RAW, libvirt.DUMP_MEMORY_ONLY)
		}},
		{"interrupt", false, func() error { return d.InjectNMI(0) }},
		{"key", false, func() error { return d.SendKey(0, 1, []uint{28}, 0) }},
		{"suspend to memory", false, func() error { return d.PMSuspendForDuration(libvirt.NODE_SUSPEND_TARGET_MEM, 0, 0) }},
		{"wakeup", false, func() error { return d.PMWakeup(0) }},
		{"statistics of the disk", true, func() error { _, err := d.BlockStats("vda"); return err }},
		{"statistics of a card", true, func() error { _, err := d.InterfaceStats("vnet0"); return err }},
		{"statistics of the memory", false, func() error { _, err := d.MemoryStats(8, 0); return err }},
		{"look at the memory", false, func() error { _, err := d.MemoryPeek(0, 8, libvirt.MEMORY_PHYSICAL); return err }},
		{"errors of the disk", false, func() error { _, err := d.GetDiskErrors(0); return err }},
		{"size of the disk", false, func() error { return d.BlockResize("vda", 2<<20, libvirt.DOMAIN_BLOCK_RESIZE_BYTES) }},
		{"pull of the disk", false, func() error { return d.BlockPull("vda", 0, 0) }},
		{"processors' pinning", true, func() error { return d.PinVcpuFlags(0, []bool{true}, live) }},
		{"processors' number", true, func() error { return d.SetVcpusFlags(1, libvirt.DOMAIN_VCPU_LIVE) }},
		{"memory", true, func() error { return d.SetMemoryFlags(64<<10, libvirt.DOMAIN_MEM_LIVE) }},
		{"attaching", true, func() error { return d.AttachDeviceFlags("<rng model='virtio'/>", libvirt.DOMAIN_DEVICE_MODIFY_LIVE) }},
		{"metadata", true, func() error { return d.SetMetadata(libvirt.DOMAIN_METADATA_TITLE, "live", "", "", live) }},
		{"job's end", false, d.AbortJob},
		{"time", false, func() error { _, _, err := d.GetTime(0); return err }},
		{"monitor", false, func() error { _, err := d.QemuMonitorCommand("{}", 0); return err }},
	}
}
