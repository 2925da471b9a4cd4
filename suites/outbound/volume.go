package outbound

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"strings"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/suites/cell"
	"libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"
)

const (
	kib = 1 << 10
	mib = 1 << 20
)

func keepsVolumes(ctx context.Context, t *cell.T) {
	p := definePool(ctx, t)
	t.Do(ctx, "build pool", func() error { return p.Build(libvirt.STORAGE_POOL_BUILD_NEW) })
	t.Do(ctx, "start pool", func() error { return p.Create(0) })
	content := noise(mib)

	raw := p.create(ctx, "raw.img", "raw", mib, nil)
	raw.upload(ctx, content, 0)
	raw.holds(ctx, content)
	t.Expect(t.Sh(ctx, "stat -c %s "+raw.path)).To(Equal(fmt.Sprint(mib)), "size of the file")

	copied := p.create(ctx, "copied.qcow2", "qcow2", mib, raw)
	t.Expect(t.Sh(ctx, "qemu-img info "+copied.path)).To(ContainSubstring("file format: qcow2"))
	p.create(ctx, "back.img", "raw", mib, copied).holds(ctx, content)

	t.Do(ctx, "grow volume", func() error { return raw.Resize(2*mib, 0) })
	t.Expect(raw.info(ctx).Capacity).To(BeNumerically("==", 2*mib))
	raw.holds(ctx, append(bytes.Clone(content), make([]byte, mib)...))
	t.Refuses(ctx, "shrink volume without being told that it may", libvirt.ERR_INVALID_ARG, func() error { return raw.Resize(mib, 0) })
	t.Do(ctx, "grow qcow2 volume", func() error { return copied.Resize(4*mib, 0) })
	t.Expect(copied.info(ctx).Capacity).To(BeNumerically("==", 4*mib))

	t.Do(ctx, "wipe volume", func() error { return raw.Wipe(0) })
	raw.holds(ctx, make([]byte, 2*mib))
	keepsHoles(ctx, t, p)

	t.Expect(p.volumes(ctx)).To(ConsistOf("raw.img", "copied.qcow2", "back.img", "sparse.img"))
	t.Do(ctx, "delete volume", func() error { return raw.Delete(libvirt.STORAGE_VOL_DELETE_NORMAL) })
	t.Refuses(ctx, "look deleted volume up", libvirt.ERR_NO_STORAGE_VOL, func() error { _, err := p.LookupStorageVolByName("raw.img"); return err })
	t.Expect(t.Run(ctx, "test -e "+raw.path).OK()).To(BeFalse(), "the file of a deleted volume is there")
}

// keepsHoles uploads and downloads data with a hole in the middle: it must stay
// one on the disk, and be told as one.
func keepsHoles(ctx context.Context, t *cell.T, p *pool) {
	content := append(append(noise(64*kib), make([]byte, mib)...), noise(64*kib)...)
	v := p.create(ctx, "sparse.img", "raw", uint64(len(content)), nil)
	v.upload(ctx, content, libvirt.STORAGE_VOL_UPLOAD_SPARSE_STREAM)
	v.holds(ctx, content)
	onDisk := t.Sh(ctx, "echo $(($(stat -c '%b * %B' "+v.path+")))")
	t.Expect(onDisk).To(Equal(fmt.Sprint(128*kib)), "bytes on disk of a file with a hole")
	got, holes := v.downloadSparse(ctx)
	t.Expect(bytes.Equal(got, content)).To(BeTrue(), "the sparse download is what was uploaded")
	t.Expect(holes).To(Equal([]int64{mib}), "holes that the download tells of")
}

// noise is reproducible data that does not compress to holes.
func noise(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte([]byte(strings.Repeat("virtmatrix", 4))[:32])).Read(b)
	return b
}

// volume is a volume of a pool.
type volume struct {
	t *cell.T
	*libvirt.StorageVol
	path string
}

// create makes a volume, empty or from another one's content.
func (p *pool) create(ctx context.Context, name, format string, capacity uint64, from *volume) *volume {
	def := libvirtxml.StorageVolume{
		Name: name, Capacity: &libvirtxml.StorageVolumeSize{Value: capacity}, Allocation: &libvirtxml.StorageVolumeSize{},
		Target: &libvirtxml.StorageVolumeTarget{Format: &libvirtxml.StorageVolumeTargetFormat{Type: format}},
	}
	xml, err := def.Marshal()
	p.t.Expect(err).NotTo(HaveOccurred())
	v := &volume{t: p.t}
	p.t.Do(ctx, "create volume "+name, func() (err error) {
		if from == nil {
			v.StorageVol, err = p.StorageVolCreateXML(xml, 0)
		} else {
			v.StorageVol, err = p.StorageVolCreateXMLFrom(xml, from.StorageVol, 0)
		}
		return err
	})
	p.t.Cleanup(func(context.Context) error { return v.StorageVol.Free() })
	p.t.Do(ctx, "ask for path of volume", func() (err error) { v.path, err = v.GetPath(); return err })
	p.t.Expect(v.info(ctx).Capacity).To(BeNumerically("==", capacity), "capacity of %s", name)
	return v
}

func (v *volume) info(ctx context.Context) (info *libvirt.StorageVolInfo) {
	v.t.Do(ctx, "ask for volume info", func() (err error) { info, err = v.StorageVol.GetInfo(); return err })
	return info
}

// holds asserts that the volume's content is this, byte for byte.
func (v *volume) holds(ctx context.Context, want []byte) {
	got := v.download(ctx)
	v.t.Expect(len(got)).To(Equal(len(want)), "bytes downloaded from %s", v.path)
	v.t.Expect(bytes.Equal(got, want)).To(BeTrue(), "the content of %s, which differs from byte %d on", v.path, firstDifference(got, want))
}

func firstDifference(a, b []byte) int {
	for i := range a {
		if i >= len(b) || a[i] != b[i] {
			return i
		}
	}
	return len(a)
}
