package qemu

import (
	"strings"

	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirtxml"
)

// crashes has the emulator end at once when libvirt gives it something that QEMU calls
// deprecated (docs/devel/qapi-code-gen.rst, special features; libvirt's drvqemu.rst).
func crashes(d *libvirtxml.Domain) {
	d.QEMUDeprecation = &libvirtxml.DomainQEMUDeprecation{Behavior: "crash"}
}

// everyday is what users do with a running guest, as commands of virsh: each has libvirt
// talk to the emulator in other words.
var everyday = []string{
	"domstats DOMAIN", "dommemstat DOMAIN", "domblkstat DOMAIN vdb", "domblkinfo DOMAIN vdb", "domblkerror DOMAIN", "domjobinfo DOMAIN",
	"vcpucount DOMAIN --active --live", "setmem DOMAIN 98304 --live", "blkdeviotune DOMAIN vdb --total-iops-sec 1000 --live",
	"blockresize DOMAIN vdb 2M", "send-key DOMAIN KEY_A", "dump DOMAIN DIR/dump --memory-only", "suspend DOMAIN", "resume DOMAIN",
	"snapshot-create-as DOMAIN outside --disk-only --diskspec vdb,file=DIR/overlay", "blockcommit DOMAIN vdb --active --pivot --wait",
	"blockcopy DOMAIN vdb DIR/copy --transient-job --pivot --wait", "save DOMAIN DIR/saved", "restore DIR/saved",
}

// What is deprecated is gone two releases of QEMU later: this is the next rebase's
// finding, a year before.
var _ = check.Register("IQ-DEPR", check.Spec{
	Asserts:  "Nothing that libvirt says to the emulator of a guest that is used every day is deprecated",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "7.1"), matrix.Since(matrix.QEMU, "6.0")},
	Depends:  check.On(matrix.QEMU, matrix.Libvirt, "machine"),
	Control:  sabotage.Wrap("virsh", "a virsh that uses a command of QMP that is deprecated since 6.2", `case "$*" in *domstats*) $REAL -c "$2" qemu-monitor-command "$4" '{"execute":"drive-backup"}';; esac; exec $REAL "$@"`),
}, func(t *steps.T) {
	dir := t.Scratch("files")
	t.Sh("mkdir " + dir + " && chmod 777 " + dir)
	image := t.NewImage("disk.qcow2", "qcow2", 1<<20)
	d, g := t.Started(crashes, domain.WithRootPorts(7), domain.WithAgent, domain.WithDisk(image, "qcow2", domain.At("vdb", "virtio")))
	mark := g.Mark()
	d.Attach(domain.NewRNG())
	g.WaitPCI("1af4:1044 1af4:1005", 2)
	names := strings.NewReplacer("DOMAIN", d.Name, "DIR", dir)
	for _, line := range everyday {
		t.VirshSays(names.Replace(line))
	}
	d.Guest().ExpectGoesOn(mark)
})
