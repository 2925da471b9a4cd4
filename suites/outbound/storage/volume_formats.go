package storage

import (
	"fmt"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/internal/layout"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// formats are those that volumes may have, and what an image of each begins with.
var formats = map[string]string{"raw": "", "qcow2": "QFI\xfb", "vmdk": "KDMV", "vpc": "conectix"}

var _ = check.Register("O-VOL-FMT", check.Spec{
	Asserts:  "A volume of each format is cloned to each other one with its content, and takes as much of the disk as it was allocated",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "0.6.4")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU),
	Control:  sabotage.Wrap(layout.QEMUImg, "a qemu-img that makes no vpc", `exec $REAL "${@/#vpc/vdi}"`),
}, func(t *steps.T) {
	p := t.DefinePool()
	p.Build()
	p.Start()
	source := p.Create("source.img", "raw", mib, nil)
	source.Upload(noise(mib))
	plain := t.Scratch("plain.img")
	clone := func(from *steps.Volume, name, format string) *steps.Volume {
		v := p.CreateAs(steps.DescribeVolume(name, format, mib), from)
		t.Expect(v.XML().Target.Format.Type).To(Equal(format), "format of %s", name)
		t.Expect(t.ReadFile(v.Path, 0, len(formats[format]))).To(Equal(formats[format]), "what %s begins with", name)
		// Geometry makes an image of vpc some sectors larger.
		t.Sh(fmt.Sprintf("%s convert -f %s -O raw %s %s && cmp -n %d %[4]s %[6]s", t.QEMUImg(), format, v.Path, plain, mib, source.Path))
		return v
	}
	for from := range formats {
		v := clone(source, "first."+from, from)
		for to := range formats {
			clone(v, from+"."+to, to).Delete()
		}
		v.Delete()
	}
	takesWhatIsAllocated(t, p)
})

// takesWhatIsAllocated counts the blocks of volumes of which nothing, a part and all
// was allocated, and of a clone with the holes of its source. One with a format takes
// what was allocated if it is told to be filled in advance.
func takesWhatIsAllocated(t *steps.T, p *steps.Pool) {
	for _, allocated := range []uint64{0, mib / 4, mib} {
		d := steps.DescribeVolume(fmt.Sprintf("of-%d.raw", allocated), "raw", mib)
		d.Allocation.Value = allocated
		takes(t, p.CreateAs(d, nil), allocated)
	}
	takes(t, p.Create("empty.qcow2", "qcow2", mib, nil), 0)
	t.VirshSays("vol-create-as --prealloc-metadata --format qcow2 --allocation 1M " + p.Name + " full.qcow2 1M")
	takes(t, p.Volume("full.qcow2"), mib)
	t.VirshSays("vol-clone --pool " + p.Name + " of-0.raw holes.raw")
	takes(t, p.Volume("holes.raw"), 0)
}

// overhead is what the tables of an image or of the file system may take besides, in
// bytes.
const overhead = 512 * kib

func takes(t *steps.T, v *steps.Volume, allocated uint64) {
	told := v.Info().Allocation
	t.Expect(told).To(And(BeNumerically(">=", allocated), BeNumerically("<", allocated+overhead)), "bytes that %s takes, of which %d were allocated", v.Path, allocated)
	t.Expect(fmt.Sprint(told)).To(Equal(fmt.Sprint(t.SizeOnDisk(v.Path))), "bytes that libvirt and the file system tell of %s", v.Path)
}
