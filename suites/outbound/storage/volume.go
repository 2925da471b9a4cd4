package storage

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

const (
	kib = 1 << 10
	mib = 1 << 20
)

// The formats are written by qemu-img.
var _ = check.Register("O-VOL", check.Spec{
	Asserts:  "Volumes are created, cloned, resized, wiped, and give back the bytes that were uploaded",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "3.4.0")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU),
	Control:  sabotage.Swallow("virStorageVolWipe"),
}, func(t *steps.T) {
	p := t.DefinePool()
	p.Build()
	p.Start()
	content := noise(mib)

	raw := p.Create("raw.img", "raw", mib, nil)
	raw.Upload(content)
	raw.ExpectContent(content)
	t.Expect(t.Sh("stat -c %s "+raw.Path)).To(Equal(fmt.Sprint(mib)), "size of the file")

	copied := p.Create("copied.qcow2", "qcow2", mib, raw)
	t.Expect(t.Sh(t.QEMUImg() + " info " + copied.Path)).To(ContainSubstring("file format: qcow2"))
	p.Create("back.img", "raw", mib, copied).ExpectContent(content)

	raw.Resize(2 * mib)
	t.Expect(raw.Info().Capacity).To(BeNumerically("==", 2*mib))
	raw.ExpectContent(append(bytes.Clone(content), make([]byte, mib)...))
	t.Refuses("shrink volume without being told that it may", libvirt.ERR_INVALID_ARG, func() error { return raw.Raw.Resize(mib, 0) })
	copied.Resize(4 * mib)
	t.Expect(copied.Info().Capacity).To(BeNumerically("==", 4*mib))

	raw.Wipe()
	raw.ExpectContent(make([]byte, 2*mib))
	keepsHoles(t, p)

	t.Expect(p.Volumes()).To(ConsistOf("raw.img", "copied.qcow2", "back.img", "sparse.img"))
	raw.Delete()
	p.ExpectNoVolume("raw.img")
	t.Expect(t.Exists(raw.Path)).To(BeFalse(), "the file of a deleted volume is there")
})

// keepsHoles uploads and downloads data with a hole in the middle: it must stay
// one on the disk, and be told as one.
func keepsHoles(t *steps.T, p *steps.Pool) {
	content := append(append(noise(64*kib), make([]byte, mib)...), noise(64*kib)...)
	v := p.Create("sparse.img", "raw", uint64(len(content)), nil)
	v.UploadSparse(content)
	v.ExpectContent(content)
	t.Expect(t.SizeOnDisk(v.Path)).To(Equal(128*kib), "bytes on disk of a file with a hole")
	got, holes := v.DownloadSparse()
	t.Expect(bytes.Equal(got, content)).To(BeTrue(), "the sparse download is what was uploaded")
	t.Expect(holes).To(Equal([]int64{mib}), "holes that the download tells of")
}

// noise is reproducible data that does not compress to holes.
func noise(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte([]byte(strings.Repeat("virtmatrix", 4))[:32])).Read(b)
	return b
}
