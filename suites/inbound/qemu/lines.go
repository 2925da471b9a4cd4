package qemu

import (
	"fmt"
	"strings"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/internal/layout"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// userLine is a part of a command line as users have it in scripts. DIR is a folder with
// the files "disk", "cd" and "config".
type userLine struct {
	line string
	// since is the version that has it first, gone that from which on upstream says that it
	// is no more (docs/about/removed-features.rst); empty for always and never.
	since, gone string
}

var userLines = []userLine{
	{line: "-hda DIR/disk -cdrom DIR/cd -boot menu=on,order=dc"},
	{line: "-drive file=DIR/disk,if=virtio,format=raw,cache=writeback,bps=1000000,iops=100"},
	{line: "-drive file=DIR/disk,format=raw,media=disk,index=0,snapshot=on"},
	{line: "-drive file=DIR/disk,format=raw,if=none,id=d -device virtio-scsi-pci -device scsi-hd,drive=d,bootindex=1"},
	{line: `-blockdev '{"driver":"file","node-name":"d","filename":"DIR/disk"}' -device ide-hd,drive=d`},
	{line: `-device '{"driver":"virtio-rng-pci"}'`, since: "6.2"},
	{line: "-net nic,model=e1000 -net user"},
	{line: "-netdev user,id=n -device rtl8139,netdev=n"},
	{line: "-nic user,model=virtio-net-pci,hostfwd=tcp:127.0.0.1:49322-:22"},
	{line: "-nographic -serial null -monitor none"},
	{line: "-vnc :7 -k de -vga cirrus"},
	{line: "-usb -usbdevice tablet -device usb-kbd"},
	{line: "-m 256M -smp 2,sockets=1,cores=2,threads=1"},
	{line: "-m 256 -smp 2 -object memory-backend-ram,id=a,size=128M -object memory-backend-ram,id=b,size=128M -numa node,memdev=a,cpus=0 -numa node,memdev=b,cpus=1"},
	{line: "-m 64 -mem-path /tmp -mem-prealloc"},
	{line: "-cpu Nehalem,+aes,-x2apic"},
	{line: "-M pc,accel=tcg,usb=off,dump-guest-core=off -no-reboot -no-shutdown"},
	{line: "-machine q35,accel=tcg,smm=off -global ICH9-LPC.disable_s3=1"},
	{line: "-machine pc,acpi=off"},
	{line: "-machine pc,hpet=off", since: "5.2"},
	{line: "-no-acpi", gone: "9.0"},
	{line: "-no-hpet", gone: "9.0"},
	{line: "-monitor unix:DIR/monitor,server,nowait -serial tcp:127.0.0.1:49323,server,nowait"},
	{line: "-chardev socket,id=c,path=DIR/serial,server,nowait -device isa-serial,chardev=c"},
	{line: "-rtc base=utc,clock=host,driftfix=slew -uuid 0f4c9a4e-3b1c-4a52-8f0f-1d8a2f0e7c11 -smbios type=1,product=virtmatrix"},
	{line: "-watchdog i6300esb -watchdog-action reset", gone: "7.2"},
	{line: "-device i6300esb -watchdog-action reset"},
	{line: "-soundhw hda", gone: "7.1"},
	{line: "-device intel-hda -device hda-duplex"},
	{line: "-audiodev none,id=a -device ich9-intel-hda -device hda-output,audiodev=a"},
	{line: "-device virtio-balloon-pci -fw_cfg name=opt/org.virtmatrix,string=x"},
	{line: "-virtfs local,path=/tmp,mount_tag=t,security_model=none"},
	{line: "-name guest,process=virtmatrix,debug-threads=on -pidfile DIR/pid -d guest_errors -D DIR/log"},
	{line: "-tb-size 32", gone: "6.0"},
	{line: "-accel tcg,tb-size=32 -icount shift=auto"},
	{line: "-realtime mlock=off", gone: "6.0"},
	{line: "-overcommit mem-lock=off -sandbox on -gdb tcp:127.0.0.1:49324"},
	{line: "-singlestep", gone: "9.0"},
	{line: "-readconfig DIR/config"},
}

// Some lines are older than what replaced them, and work: whoever has them in a script
// reads no release notes.
var _ = check.Register("IQ-USERCMD", check.Spec{
	Asserts:  "Command lines that users have in scripts are read, unless upstream announced that they are no more",
	Requires: []matrix.Requirement{matrix.KVMStack},
	Depends:  check.On(matrix.QEMU),
	Control:  sabotage.Wrap(layout.Emulator, "an emulator that knows no -net", `case "$*" in *"-net nic"*) echo "invalid option" >&2; exit 1;; esac; exec $REAL "$@"`),
}, func(t *steps.T) {
	dir := t.Scratch("lines")
	t.Sh(fmt.Sprintf("mkdir %s && truncate -s 1M %s/disk %s/cd", dir, dir, dir))
	t.Put(dir+"/config", "[drive \"d\"]\n  if = \"virtio\"\n  format = \"raw\"\n  file = \""+dir+"/disk\"\n")
	var asked []steps.Native
	for i, l := range userLines {
		switch {
		case l.since != "" && !t.AtLeast(matrix.QEMU, l.since):
		case l.gone != "" && t.AtLeast(matrix.QEMU, l.gone):
			t.Note("%s was not asked: it is gone since %s", l.line, l.gone)
		default:
			display := " -display none "
			if strings.Contains(l.line, "-nographic") {
				display = " "
			}
			asked = append(asked, steps.Native{Name: fmt.Sprint(i), Line: host.Quote(t.Emulator()) + display + strings.ReplaceAll(l.line, "DIR", dir)})
		}
	}
	var bad []string
	for name, res := range t.Unread(asked) {
		var i int
		_, _ = fmt.Sscan(name, &i) // as printed above
		bad = append(bad, fmt.Sprintf("%s: status %d, %s", userLines[i].line, res.Code, res.Stderr))
	}
	t.Note("%d command lines were read", len(asked))
	t.Expect(bad).To(BeEmpty(), "command lines that were not read")
})
