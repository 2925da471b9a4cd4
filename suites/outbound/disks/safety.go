package disks

import (
	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"
)

// set is a folder with the images of a guest that has two disks, and one that is
// nobody's.
type set struct {
	folder string
	// top is an overlay on base; other is the second disk's.
	base, top, other, stranger string
}

// newSet makes the images. All but those of a guest's own may be read by their owner
// alone.
func newSet(t *steps.T) set {
	f := t.Scratch("set")
	s := set{f, f + "/base", f + "/top", f + "/other", f + "/stranger"}
	t.Sh("mkdir " + f + " && cd " + f + " && truncate -s 4M base other stranger && " + t.QEMUImg() + " create -q -u -f qcow2 -b " + s.base + " -F raw top 4M && chmod 600 *")
	return s
}

func (s set) disks() []domain.Option {
	return []domain.Option{disk("vdb", s.top, "qcow2"), disk("vdc", s.other, "raw")}
}

// writer is another one in a file of the scratch disk, who never writes the same twice.
func writer(file string) *sabotage.Control {
	return sabotage.Command("another writer in "+file,
		"(while :; do date +%N | dd of="+host.ScratchDir+"/"+file+" conv=notrunc,nocreat; sleep 0.02; done) >/dev/null 2>&1 &")
}

var _ = check.Register("O-SAFE-LIFE", check.Spec{
	Asserts:  "No step of a domain's life touches an image but that which the guest writes to: not its content, its mode or its place",
	Requires: kvm("0.9.7"),
	Depends:  stack,
	Control:  writer("O-SAFE-LIFE-set/base"),
}, func(t *steps.T) {
	s := newSet(t)
	before, state := t.Images(s.folder).WithoutOwners(), t.Scratch("state")
	d := t.Define(s.disks()...)
	var g *steps.Guest
	write := func() {
		seen, _ := g.Disk("vdb")
		g.WriteAt(seen.Name, mib, word)
	}
	for _, step := range []struct {
		what string
		do   func()
	}{
		{"start", func() { d.Start(); g = d.Guest() }},
		{"write", write},
		{"suspension", d.Suspend}, {"resumption", d.Resume},
		{"save", func() { d.Save(state) }}, {"restore", func() { t.Connection().Restore(state); g.WaitReady() }},
		{"managed save", d.ManagedSave}, {"start from it", func() { d.Start(); g.WaitReady() }},
		{"reset", d.Reset}, // whether the guest comes back is asked by O-RESET
		{"destruction", d.Destroy}, {"definition", func() { t.Connection().Define(d.Dump(libvirt.DOMAIN_XML_INACTIVE)) }}, {"removal", d.Undefine},
	} {
		step.do()
		t.Expect(t.Images(s.folder).WithoutOwners().Since(before)).To(Or(BeEmpty(), Equal([]string{s.top + " has another content"})), "what became of the images by the %s", step.what)
	}
})

var _ = check.Register("O-SAFE-TWO", check.Spec{
	Asserts:  "A snapshot of one disk of two makes one file, and changes no other image, of a domain that is off and of a running one",
	Requires: kvm("0.9.5"),
	Depends:  stack,
	Control:  writer("O-SAFE-TWO-set/other"),
}, func(t *steps.T) {
	for _, running := range []bool{false, true} {
		s := newSet(t)
		d := t.Define(s.disks()...)
		if running {
			d.Start()
			d.Guest()
		}
		before, overlay := t.Images(s.folder).WithoutOwners(), s.folder+"/overlay"
		snapshotOne(t, d, overlay)
		if running {
			seen, _ := d.Guest().Disk("vdb")
			d.Guest().WriteAt(seen.Name, mib, word)
		}
		t.Expect(t.Images(s.folder).WithoutOwners().Since(before)).To(Equal([]string{overlay + " is new"}), "what became of the images")
		t.Expect([]bool{d.Has(overlay), d.Has(s.other)}).To(HaveEach(true), "images in the domain's XML")
		info := t.ImageInfo(overlay)
		t.Expect([]string{info.Backing, info.BackingFormat}).To(Equal([]string{s.top, "qcow2"}), "backing file and format of the new image")
		if running {
			d.Destroy()
		}
		t.Sh("rm -r " + s.folder)
	}
})

// snapshotOne takes an external snapshot of the disk vdb and not of vdc.
func snapshotOne(t *steps.T, d *steps.Domain, overlay string) {
	xml := t.Marshal(&libvirtxml.DomainSnapshot{Disks: &libvirtxml.DomainSnapshotDisks{Disks: []libvirtxml.DomainSnapshotDisk{
		{Name: "vdb", Snapshot: "external", Source: &libvirtxml.DomainDiskSource{File: &libvirtxml.DomainDiskSourceFile{File: overlay}}},
		{Name: "vdc", Snapshot: "no"},
	}}})
	t.Do("take snapshot of one disk", func() error {
		snapshot, err := d.Raw.CreateSnapshotXML(xml, libvirt.DOMAIN_SNAPSHOT_CREATE_DISK_ONLY|libvirt.DOMAIN_SNAPSHOT_CREATE_ATOMIC)
		if err == nil {
			_ = snapshot.Free()
		}
		return err
	})
}

var _ = check.Register("O-SAFE-RM", check.Spec{
	Asserts:  "A domain that is undefined with storage takes the volumes that were named with it, and no other, nor what they stand on",
	Requires: kvm("0.10.2"),
	Depends:  stack,
	Control:  sabotage.Wrap("virsh", "a virsh that removes all storage", `exec $REAL "${@/#--storage*/--remove-all-storage}"`),
}, func(t *steps.T) {
	for _, c := range []struct {
		flag string
		gone func(set) []string
	}{
		{"--storage=vdb", func(s set) []string { return []string{s.top + " is gone"} }},
		{"--remove-all-storage", func(s set) []string { return []string{s.other + " is gone", s.top + " is gone"} }},
		{"--managed-save", func(set) []string { return nil }},
	} {
		s := newSet(t)
		pool := t.DefinePoolAt(s.folder)
		before := t.Images(s.folder)
		d := t.Define(s.disks()...)
		t.VirshSays("undefine " + d.Name + " " + c.flag)
		t.Expect(t.Images(s.folder).Since(before)).To(Equal(c.gone(s)), "what became of the images of a domain that was undefined with %s", c.flag)
		pool.Destroy()
		pool.Undefine()
		t.Sh("rm -r " + s.folder)
	}
})

var _ = check.Register("O-SAFE-MODE", check.Spec{
	Asserts:  "Nobody but their owner may read what libvirt keeps of a guest: its memory, its volumes, its log and its XML",
	Requires: kvm("1.2.9"),
	Depends:  stack,
	Control:  sabotage.Command("files that all may read", "(while :; do chmod o+r /var/lib/libvirt/images/O-SAFE-MODE-*/*; sleep 0.02; done) >/dev/null 2>&1 &"),
}, func(t *steps.T) {
	folder := t.Scratch("made")
	t.Sh("mkdir -p " + folder)
	pool := t.DefinePoolAt(folder)
	v := pool.Create("volume.img", "raw", size, nil)
	pool.Create("volume.qcow2", "qcow2", size, v)
	d, _ := t.Started(disk("vdb", v.Path, "raw"), domain.WithVNC("hidden"))
	t.Do("dump memory", func() error {
		return d.Raw.CoreDumpWithFormat(folder+"/core", libvirt.DOMAIN_CORE_DUMP_FORMAT_RAW, libvirt.DUMP_MEMORY_ONLY)
	})
	made := func(more ...string) {
		images := t.Images(append(more, folder, t.Layout().LibvirtConfig+"/qemu/"+d.Name+".xml", "/run/libvirt/qemu/"+d.Name+".xml", "/var/log/libvirt/qemu/"+d.Name+".log")...)
		t.Expect(len(images)).To(BeNumerically(">=", 5), "files that libvirt made")
		t.Expect(images.OpenToOthers()).To(BeEmpty(), "files that others may read")
	}
	made()
	d.ManagedSave()
	made("/var/lib/libvirt/qemu/save")
	d.Start()
	d.Guest()
	d.Save(folder + "/state")
	made()
})
