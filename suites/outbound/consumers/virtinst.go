// Package consumers holds the checks of what people build on the stack: programs of the
// release's own that are installed above it and may replace nothing of it.
package consumers

import (
	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/fixtures/l2"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

const (
	serial = "vmserial"
	word   = "on the disk before"
	mib    = 1 << 20
)

// above requires the kvm stack in a container, and what else is named.
func above(more ...matrix.Requirement) []matrix.Requirement {
	return append([]matrix.Requirement{matrix.KVMStack, matrix.Contained}, more...)
}

// virtInst registers a check of what the package virtinst brings.
func virtInst(id, asserts string, control *sabotage.Control, body func(*steps.T)) {
	check.Register(id, check.Spec{
		Asserts:  asserts,
		Requires: above(),
		Depends:  check.On(matrix.QEMU, matrix.Libvirt),
		Hosts:    matrix.Hosts{AddOns: []string{"virtinst"}},
		Control:  control,
	}, body)
}

func init() {
	virtInst("C-VI-INSTALL", "A guest that virt-install imports boots, is what was asked for, and leaves its disk when it is undefined",
		sabotage.Guest(l2.ForgetWord), installs)
	virtInst("C-VI-XML", "libvirt defines what virt-install prints of many options, and keeps all that was asked for",
		sabotage.WrapAddOn("virt-install", "a virt-install that forgets the memory's backing", `$REAL "$@" | sed '/<memoryBacking>/,/<.memoryBacking>/d'`), prints)
	virtInst("C-VI-EDIT", "virt-xml edits a definition, adds devices to it and takes them away, and does so to a running guest",
		sabotage.WrapAddOn("virt-xml", "a virt-xml that only says so", `echo "Domain defined successfully."`), edits)
	virtInst("C-VI-CLONE", "virt-clone makes of a guest that is off another one, with an identity, an address and a disk of its own, and both run",
		sabotage.WrapAddOn("virt-clone", "a virt-clone that copies nothing of the disk", `$REAL "$@" && qemu-img create -q -f qcow2 `+host.ScratchDir+`/*-clone 16M`), clones)
}

func installs(t *steps.T) {
	t.Install()
	disk := t.QCOW2("disk", word)
	d := t.Installed("--vcpus 1 --metadata title=Imported --disk path="+disk+",format=qcow2,bus=virtio,serial="+serial, "--network none", "--memballoon virtio", "--rng /dev/urandom")
	g := d.Guest()
	g.ExpectGoesOn(g.Mark())
	t.Expect(g.ReadAt(g.WaitDisk(serial, steps.PlugLimit).Name, 0, len(word))).To(Equal(word), "what the guest reads of its disk")
	t.Expect(d.Persistent()).To(BeTrue(), "the domain has a definition")
	t.ExpectSays("the domain", d.Dump(libvirt.DOMAIN_XML_INACTIVE), "/domain/title=Imported", "/domain/vcpu=1",
		"/domain/devices/disk/source/@file="+disk, "/domain/devices/disk/serial="+serial, "/domain/devices/rng/backend=/dev/urandom")
	d.Destroy()
	d.Undefine()
	t.Expect(t.TextAt(disk, 0, len(word))).To(Equal(word), "what the disk holds once its domain is undefined")
}

// asked are options of virt-install, and what a definition says that has them.
var asked = []struct {
	option string
	says   []string
}{
	{"--memory 128,maxmemory=256", []string{"/domain/memory=262144", "/domain/currentMemory=131072"}},
	{"--vcpus 2,maxvcpus=4", []string{"/domain/vcpu=4", "/domain/vcpu/@current=2"}},
	{"--cpu qemu64,+rdrand", []string{"/domain/cpu/model=qemu64", "/domain/cpu/feature/@name=rdrand"}},
	{"--memorybacking source.type=memfd,access.mode=shared", []string{"/domain/memoryBacking/source/@type=memfd", "/domain/memoryBacking/access/@mode=shared"}},
	{"--iothreads 2", []string{"/domain/iothreads=2"}},
	{"--clock offset=localtime", []string{"/domain/clock/@offset=localtime"}},
	{"--tpm model=tpm-crb,backend.type=emulator,backend.version=2.0", []string{"/domain/devices/tpm/@model=tpm-crb", "/domain/devices/tpm/backend/@version=2.0"}},
	{"--video virtio", []string{"/domain/devices/video/model/@type=virtio"}},
	{"--network user,model=virtio,mac=52:54:00:19:02:01", []string{"/domain/devices/interface/mac/@address=52:54:00:19:02:01", "/domain/devices/interface/model/@type=virtio"}},
	{"--controller scsi,model=virtio-scsi", []string{"/domain/devices/controller/@model=virtio-scsi"}},
	{"--channel unix,target_type=virtio,name=org.qemu.guest_agent.0", []string{"/domain/devices/channel/target/@name=org.qemu.guest_agent.0"}},
	{"--watchdog i6300esb,action=reset", []string{"/domain/devices/watchdog/@model=i6300esb", "/domain/devices/watchdog/@action=reset"}},
	{"--input tablet,bus=virtio", []string{"/domain/devices/input/@type=tablet"}},
	{"--sound ich9", []string{"/domain/devices/sound/@model=ich9"}},
	{"--panic default", []string{"/domain/devices/panic/@model=isa"}},
	{"--vsock cid.auto=yes", []string{"/domain/devices/vsock/cid/@auto=yes"}},
}

func prints(t *steps.T) {
	t.Install()
	disk, g := t.DiskImage("disk", mib), t.NewGuest()
	options := []string{"--print-xml", "--disk path=" + disk + ",bus=scsi,cache=none,discard=unmap"}
	says := []string{"/domain/devices/disk/source/@file=" + disk, "/domain/devices/disk/driver/@cache=none", "/domain/devices/disk/driver/@discard=unmap", "/domain/devices/disk/target/@bus=scsi"}
	for _, a := range asked {
		options, says = append(options, a.option), append(says, a.says...)
	}
	printed := t.VirtInstall(g, options...)
	t.KeepText("printed.xml", printed)
	d := t.DefineXML(g, printed)
	t.ExpectSays("what libvirt keeps of the printed domain", d.Dump(libvirt.DOMAIN_XML_INACTIVE), says...)
	t.Note("%d options of virt-install", len(options)-1)
}

func edits(t *steps.T) {
	t.Install()
	image, more := t.DiskImage("plugged", 4*mib), t.DiskImage("more", mib)
	d := t.Define(domain.WithRootPorts(4))
	says := func() string { return d.Dump(libvirt.DOMAIN_XML_INACTIVE) }
	d.VirtXML("--edit --metadata title=Edited")
	d.VirtXML("--edit --vcpus 2")
	d.VirtXML("--add-device --disk path=" + more + ",format=raw,target.bus=virtio,target.dev=vdx")
	t.ExpectSays("the edited definition", says(), "/domain/title=Edited", "/domain/vcpu=2", "/domain/devices/disk/source/@file="+more)
	d.VirtXML("--remove-device --disk target.dev=vdx")
	t.Expect(says()).NotTo(ContainSubstring(more), "the definition without the disk")

	d.Start()
	g := d.Guest()
	mark := g.Mark()
	d.VirtXML("--update --add-device --disk path=" + image + ",format=raw,target.bus=virtio,target.dev=vdz,serial=" + serial)
	g.WriteAt(g.WaitDisk(serial, steps.PlugLimit).Name, mib, word)
	t.Expect(t.ReadFile(image, mib, len(word))).To(Equal(word), "what the image holds where the guest wrote")
	t.Expect(says()).To(ContainSubstring(image), "the definition of the running guest")
	d.VirtXML("--update --remove-device --disk target.dev=vdz")
	g.WaitNoDisk(serial, steps.PlugLimit)
	t.Until(steps.PlugLimit, "the disk is gone from the domain's XML", func() bool { return !d.Has(serial) })
	t.Expect(says()).NotTo(ContainSubstring(image), "the definition once the disk is gone")
	g.ExpectGoesOn(mark)
}

func clones(t *steps.T) {
	t.Install()
	const mac = "52:54:00:19:02:02"
	d := t.Define(domain.WithDisk(t.QCOW2("disk", word), "qcow2", domain.Serial(serial)), domain.WithNIC(domain.NIC{MAC: mac}))
	copied, dev := d.Clone(d.Name+"-clone"), t.Settings().DiskName
	disk, copiedDisk := d.DiskChain(dev)[0], copied.DiskChain(dev)[0]
	t.RemoveAfter(copiedDisk)
	t.Expect(copied.UUID()).NotTo(Equal(d.UUID()), "UUID of the clone")
	t.Expect(copiedDisk).NotTo(Equal(disk), "disk of the clone")
	t.Expect(d.Has(mac)).To(BeTrue(), "the original has its address")
	t.Expect(copied.Has(mac)).To(BeFalse(), "the clone has the original's address")
	t.ExpectSameContent(disk, copiedDisk)

	d.Start()
	copied.Start()
	g, twin := d.Guest(), copied.Guest()
	twin.WriteAt(twin.WaitDisk(serial, steps.PlugLimit).Name, mib, "only the clone")
	t.Expect(g.ReadAt(g.WaitDisk(serial, steps.PlugLimit).Name, mib, 4)).To(Equal("\x00\x00\x00\x00"), "what the original reads where the clone wrote")
	g.ExpectGoesOn(g.Mark())
}
