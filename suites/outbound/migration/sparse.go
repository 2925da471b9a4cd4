package migration

import (
	"fmt"
	"path"
	"slices"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// A disk of sparseBytes has filledBytes written at its start and in its middle. On top of what
// it has here, its image may take spareBytes there: tables of qcow2.
const (
	sparseBytes = 64 << 20
	filledBytes = 1 << 20
	spareBytes  = 1 << 20
)

// filling has the target fill the holes of images while they come.
var filling = sabotage.CommandOn("a target that fills the holes of images", func(t *steps.T) string {
	t.On(1).Sh("(while :; do for f in " + host.ScratchDir + "/O-MIG-*-images/*; do fallocate -l 64M $f; done; sleep 0.1; done) >/dev/null 2>&1 &")
	return "true"
})

var _ = check.Register("O-MIG-SPARSE", check.Spec{
	Asserts:  "A sparse disk that goes over with its guest has the same content there, and its image takes no more room than it took here",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "6.8.0")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU, "disk"),
	Hosts:    matrix.Hosts{Count: 2},
	Control:  filling,
}, func(t *steps.T) {
	s := newSparse(t)
	for _, format := range []string{"raw", "qcow2"} {
		for name, options := range map[string][]domain.DiskOption{"plain": nil, "discarding": {domain.Discards}} {
			s.add(name, format, options...)
			t.On(1).NewImage("images/"+name, format, sparseBytes)
		}
	}
	s.move()
	s.expectRoom()
})

// Where the target has a pool for them, libvirt makes images that are not there
// (qemuMigrationDstPrecreateStorage).
var _ = check.Register("O-MIG-MADE", check.Spec{
	Asserts:  "The images that libvirt makes in a pool of the target for a guest's disks have their content, and take no more room than here",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "6.8.0")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU, "disk"),
	Hosts:    matrix.Hosts{Count: 2},
	Control:  filling,
}, func(t *steps.T) {
	s := newSparse(t)
	pool := t.On(1).DefinePoolAt(s.folder)
	s.add("made", "raw")
	s.add("made", "qcow2")
	t.Expect(pool.Volumes()).To(BeEmpty(), "volumes before the guest moves")
	s.move()
	pool.Refresh()
	t.Expect(pool.Volumes()).To(ConsistOf("made.raw", "made.qcow2"), "volumes of the pool that the guest's disks came to")
	for image := range s.had {
		t.Expect(t.On(1).ImageInfo(image).Format).To(Equal(path.Ext(image)[1:]), "format of %s there", path.Base(image))
	}
	s.expectRoom()
})

// sparse are disks with holes whose images are in a folder that both hosts have.
type sparse struct {
	t      *steps.T
	folder string
	disks  []domain.Option
	// had is the room that each image takes here, in bytes.
	had map[string]int
}

func newSparse(t *steps.T) *sparse {
	s := &sparse{t: t, folder: t.Scratch("images"), had: map[string]int{}}
	for _, h := range []*steps.T{t, t.On(1)} {
		h.RemoveAfter(s.folder)
		h.Sh("mkdir " + s.folder)
	}
	return s
}

// add makes a disk.
func (s *sparse) add(name, format string, options ...domain.DiskOption) {
	image := s.t.NewImage("images/"+name, format, sparseBytes)
	for _, at := range []int{0, sparseBytes / 2} {
		s.t.Sh(fmt.Sprintf("%s -f %s -c 'write -q -P 65 %d %d' %s", s.t.Program("qemu-io"), format, at, filledBytes, image))
	}
	s.had[image] = s.t.SizeOnDisk(image)
	s.disks = append(s.disks, domain.WithDisk(image, format, options...))
}

// move moves a guest with the disks to the other host, where it ends, and asserts that the
// content of its disks is there.
func (s *sparse) move() {
	there := s.t.On(1)
	d, g := s.t.Started(s.disks...)
	mark := g.Mark()
	moved := d.MigrateTo(there, live|libvirt.MIGRATE_NON_SHARED_DISK, steps.WithDisks(there))
	moved.Guest().ExpectGoesOn(mark)
	moved.Destroy()
	for image := range s.had {
		s.t.Expect(contentOf(there, image)).To(Equal(contentOf(s.t, image)), "SHA-256 of the content of %s there", path.Base(image))
	}
}

// expectRoom asserts that no image takes more room there.
func (s *sparse) expectRoom() {
	var grown []string
	for image, had := range s.had {
		if has := s.t.On(1).SizeOnDisk(image); has > had+spareBytes {
			grown = append(grown, fmt.Sprintf("%s took %d KiB here, and takes %d there", path.Base(image), had>>10, has>>10))
		}
	}
	slices.Sort(grown)
	s.t.Expect(grown).To(BeEmpty(), "images that took the other host more room")
}

// contentOf is the digest of what a disk with the image holds.
func contentOf(t *steps.T, image string) string {
	raw := t.Scratch("content.raw")
	return t.Sh(fmt.Sprintf("%s convert -O raw %s %s && sha256sum <%s", t.QEMUImg(), image, raw, raw))
}
