package snapshots

import (
	"strings"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

var _ = check.Register("O-SNAP-TREE", check.Spec{
	Asserts:  "Snapshots form the tree that they were made in, which is forgotten and told again without touching the image",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "0.9.13")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU, matrix.XenHyp),
	Control:  sabotage.Swallow("virDomainRevertToSnapshot"),
}, func(t *steps.T) {
	if t.XenDomainLacks("list snapshots", func(d *libvirt.Domain) error { _, err := d.ListAllSnapshots(0); return err }) {
		return
	}
	image := t.QCOW2("disk", "")
	d := t.Define(withBIOS, domain.WithDisk(image, "qcow2"))
	root := d.Snapshot("root", 0)
	left := d.Snapshot("left", 0)
	root.Revert(0)
	right := d.Snapshot("right", 0)
	t.Expect([]string{left.Parent(), right.Parent()}).To(Equal([]string{"root", "root"}), "parents of the second and the third snapshot")
	t.Refuses("ask for the root's parent", libvirt.ERR_NO_DOMAIN_SNAPSHOT, func() error { _, err := root.Raw.GetParent(0); return err })
	t.Expect([]bool{root.IsCurrent(), left.IsCurrent(), right.IsCurrent()}).To(Equal([]bool{false, false, true}), "which snapshot is current")
	t.Expect(d.Snapshots(libvirt.DOMAIN_SNAPSHOT_LIST_ROOTS)).To(Equal([]string{"root"}))
	t.Expect(d.Snapshots(libvirt.DOMAIN_SNAPSHOT_LIST_LEAVES)).To(Equal([]string{"left", "right"}))
	t.Expect(strings.Fields(t.VirshSays("snapshot-list --tree "+d.Name))).To(Equal([]string{"root", "|", "+-", "left", "+-", "right"}), "the tree as virsh draws it")

	told, kept := right.Dump(), t.Sh("sha256sum "+image)
	right.Delete(libvirt.DOMAIN_SNAPSHOT_DELETE_METADATA_ONLY)
	t.Expect(d.Snapshots(0)).To(Equal([]string{"left", "root"}), "snapshots after one was forgotten")
	right = d.SnapshotFrom("right", told, libvirt.DOMAIN_SNAPSHOT_CREATE_REDEFINE|libvirt.DOMAIN_SNAPSHOT_CREATE_CURRENT)
	t.Expect(right.Dump()).To(Equal(told), "the snapshot that was told again")
	t.Expect(right.IsCurrent()).To(BeTrue())
	t.Expect(t.Sh("sha256sum "+image)).To(Equal(kept), "the image over what only changed the list")

	root.Delete(libvirt.DOMAIN_SNAPSHOT_DELETE_CHILDREN)
	t.Expect(d.Snapshots(0)).To(BeEmpty())
	t.Expect(snapshotsIn(t, image)).To(BeEmpty(), "snapshots in the image after the root was deleted with its children")
})
