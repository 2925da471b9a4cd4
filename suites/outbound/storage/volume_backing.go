package storage

import (
	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirtxml"
)

var _ = check.Register("O-VOL-BACK", check.Spec{
	Asserts:  "A volume on another one names it with its format in the header, and its format is found where the header lacks it",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "0.6.4")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU),
	Control:  sabotage.Alter("virStorageVolGetXMLDesc", "<format type='raw'/>", "<format type='bochs'/>"),
}, func(t *steps.T) {
	p := t.DefinePool()
	p.Build()
	p.Start()
	for _, format := range []string{"raw", "qcow2"} {
		base := p.Create("base."+format, format, mib, nil)
		before := t.Images(base.Path)
		over := steps.DescribeVolume("over-"+format, "qcow2", mib)
		over.BackingStore = &libvirtxml.StorageVolumeBackingStore{Path: base.Path, Format: &libvirtxml.StorageVolumeTargetFormat{Type: format}}
		v := p.CreateAs(over, nil)
		info := t.ImageInfo(v.Path)
		t.Expect([]string{info.Backing, info.BackingFormat}).To(Equal([]string{base.Path, format}), "backing file and format in the header")
		isOn(t, v, base, format)
		p.Refresh()
		isOn(t, p.Volume(over.Name), base, format)

		t.ForgetBackingFormat(v.Path)
		p.Refresh()
		isOn(t, p.Volume(over.Name), base, format)
		t.Expect(t.Images(base.Path).Since(before)).To(BeEmpty(), "what became of the backing file")
	}
})

// isOn asserts what libvirt says of a volume's backing file.
func isOn(t *steps.T, v, base *steps.Volume, format string) {
	below := v.XML().BackingStore
	t.Expect(below).NotTo(BeNil(), "backing file in the XML of %s", v.Path)
	t.Expect(below.Path).To(Equal(base.Path), "backing file in the XML of %s", v.Path)
	t.Expect(below.Format.Type).To(Equal(format), "format of the backing file in the XML of %s", v.Path)
}
