package lifecycle

import (
	"strings"
	"syscall"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// oddNames are what users call their guests, besides letters, digits and dashes. No name has a
// slash or a line's end (virDomainDefPostParseCheck and the schema).
var oddNames = []string{
	"with a space", "it's \"quoted\"", "größer 東京", "a<b>&amp;c", "-dash", "$(false) `false` ;", "100%s%d", "[x]{y}*?", "a,b=c", "..hidden", strings.Repeat("long", 50),
}

// What libvirt keeps of a domain is in files of its name; its emulator is told the name among
// options that commas part.
var _ = check.Register("O-NAMES", check.Spec{
	Asserts:  "A domain may have any name: it is listed, starts, is known to the next daemon, saved, snapshotted and undefined by it, and leaves no file",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "1.2.12")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU),
	Control:  sabotage.Swallow("virDomainUndefineFlags"),
}, func(t *steps.T) {
	image := t.QCOW2("disk", "")
	files := func() string {
		return t.Sh("cd / && find etc/libvirt var/lib/libvirt/qemu run/libvirt/qemu -type f | grep -v /log/ | sort")
	}
	there := files()
	var all []*steps.Domain
	for _, name := range oddNames {
		d := t.DefineAs(name, domain.WithDisk(image, "qcow2"))
		t.Expect(t.Connection().Names()).To(ContainElement(name))
		snapshot := "of " + name // which may not begin with a dot
		d.Snapshot(snapshot, 0)
		t.Expect(d.Snapshots(0)).To(Equal([]string{snapshot}), "snapshots of %s", name)
		d.LookupSnapshot(snapshot).Delete(0)
		all = append(all, d)
	}
	for _, d := range all {
		d.StartPaused()
		d.Destroy()
		d.StartPaused()
		d.ManagedSave()
		t.Expect(d.HasManagedSave()).To(BeTrue(), "a managed save of %s", d.Name)
	}
	t.RestartLibvirt(syscall.SIGTERM)
	t.Expect(t.Connection().Names()).To(ContainElements(oddNames), "domains that the next daemon knows")
	for _, old := range all {
		d := old.Again()
		t.Expect(d.HasManagedSave()).To(BeTrue(), "a managed save of %s under the next daemon", d.Name)
		d.StartPaused()
		t.Expect(t.VirshSays("domstate -- " + host.Quote(d.Name))).To(Equal("paused"))
		d.Destroy()
		t.Do("undefine domain "+d.Name, func() error { return d.Raw.UndefineFlags(libvirt.DOMAIN_UNDEFINE_MANAGED_SAVE) })
	}
	t.Expect(files()).To(Equal(there), "files of libvirt's once all domains are gone")
})
