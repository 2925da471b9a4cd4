package outbound

import (
	"context"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/suites/cell"
	"libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"
)

// pool is a directory pool under test.
type pool struct {
	t *cell.T
	*libvirt.StoragePool
	name, path string
}

// definePool defines a directory pool on L1's scratch disk. It is gone when the
// check is over.
func definePool(ctx context.Context, t *cell.T) *pool {
	conn := t.Connect(ctx)
	p := &pool{t: t, path: t.Scratch("pool")}
	p.name = t.NewGuest().Name + "-pool"
	def := libvirtxml.StoragePool{Type: "dir", Name: p.name, Target: &libvirtxml.StoragePoolTarget{Path: p.path}}
	xml, err := def.Marshal()
	t.Expect(err).NotTo(HaveOccurred())
	t.Do(ctx, "define pool", func() (err error) { p.StoragePool, err = conn.StoragePoolDefineXML(xml, 0); return err })
	t.Cleanup(func(context.Context) error {
		_ = p.Destroy()
		_ = p.Undefine()
		_, err := conn.LookupStoragePoolByName(p.name)
		if cell.Code(err) == libvirt.ERR_NO_STORAGE_POOL {
			return p.Free()
		}
		return err
	})
	return p
}

func (p *pool) isActive(ctx context.Context) (active bool) {
	p.t.Do(ctx, "ask whether pool is active", func() (err error) { active, err = p.IsActive(); return err })
	return active
}

func (p *pool) info(ctx context.Context) (info *libvirt.StoragePoolInfo) {
	p.t.Do(ctx, "ask for pool info", func() (err error) { info, err = p.GetInfo(); return err })
	return info
}

func keepsDirectoryPool(ctx context.Context, t *cell.T) {
	p := definePool(ctx, t)
	conn := t.Connect(ctx)
	t.Expect(p.isActive(ctx)).To(BeFalse(), "a defined pool is active")
	t.Expect(t.Run(ctx, "test -e "+p.path).OK()).To(BeFalse(), "the folder is there before it is built")
	t.Do(ctx, "build pool", func() error { return p.Build(libvirt.STORAGE_POOL_BUILD_NEW) })
	t.Expect(t.Run(ctx, "test -d "+p.path).OK()).To(BeTrue(), "the folder is built")
	t.Do(ctx, "start pool", func() error { return p.Create(0) })
	t.Expect(p.isActive(ctx)).To(BeTrue(), "a started pool is active")
	t.Refuses(ctx, "start pool twice", libvirt.ERR_OPERATION_INVALID, func() error { return p.Create(0) })

	startsByItself(ctx, t, p)

	t.Sh(ctx, "truncate -s 1M "+p.path+"/found.img")
	t.Refuses(ctx, "look up a volume before the pool is refreshed", libvirt.ERR_NO_STORAGE_VOL, func() error { _, err := p.LookupStorageVolByName("found.img"); return err })
	t.Do(ctx, "refresh pool", func() error { return p.Refresh(0) })
	t.Expect(p.volumes(ctx)).To(Equal([]string{"found.img"}))
	t.Expect(t.VirshSays(ctx, "vol-path --pool "+p.name+" found.img")).To(Equal(p.path + "/found.img"))
	info := p.info(ctx)
	t.Expect(info.Capacity).To(BeNumerically(">", 0))
	t.Expect(info.Allocation + info.Available).To(BeNumerically("<=", info.Capacity))

	t.Sh(ctx, "rm "+p.path+"/found.img")
	t.Do(ctx, "destroy pool", p.Destroy)
	t.Expect(p.isActive(ctx)).To(BeFalse(), "a destroyed pool is active")
	t.Expect(t.Run(ctx, "test -d "+p.path).OK()).To(BeTrue(), "the folder of a destroyed pool is kept")
	t.Do(ctx, "delete pool", func() error { return p.Delete(libvirt.STORAGE_POOL_DELETE_NORMAL) })
	t.Expect(t.Run(ctx, "test -e "+p.path).OK()).To(BeFalse(), "the folder of a deleted pool is there")
	t.Do(ctx, "undefine pool", p.Undefine)
	t.Refuses(ctx, "look undefined pool up", libvirt.ERR_NO_STORAGE_POOL, func() error { _, err := conn.LookupStoragePoolByName(p.name); return err })
}

// startsByItself sets a pool's autostart and takes it back; what the daemon
// would do is in its link.
func startsByItself(ctx context.Context, t *cell.T, p *pool) {
	link := "test -L /etc/libvirt/storage/autostart/" + p.name + ".xml"
	for _, auto := range []bool{true, false} {
		t.Do(ctx, "set autostart of pool", func() error { return p.SetAutostart(auto) })
		var got bool
		t.Do(ctx, "ask for autostart of pool", func() (err error) { got, err = p.GetAutostart(); return err })
		t.Expect(got).To(Equal(auto), "autostart")
		t.Expect(t.Run(ctx, link).OK()).To(Equal(auto), "autostart link")
	}
}

func (p *pool) volumes(ctx context.Context) (names []string) {
	p.t.Do(ctx, "list volumes", func() (err error) { names, err = p.ListStorageVolumes(); return err })
	return names
}
