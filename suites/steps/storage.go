package steps

import (
	"slices"

	"github.com/virtmatrix/virtmatrix/internal/host"
	"libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"
)

// Pool is a storage pool of the cell.
type Pool struct {
	t *T
	// Raw is the binding's, for calls that are to be refused.
	Raw *libvirt.StoragePool
	// Name is the pool's, Path its folder in L1.
	Name, Path string
}

// DefinePool defines a directory pool on L1's scratch disk. It is gone when the check
// is over.
func (t *T) DefinePool() *Pool {
	conn := t.Connection().Raw
	p := &Pool{t: t, Name: t.NewGuest().Name + "-pool", Path: t.Scratch("pool")}
	xml := t.Marshal(&libvirtxml.StoragePool{Type: "dir", Name: p.Name, Target: &libvirtxml.StoragePoolTarget{Path: p.Path}})
	p.Raw = Get(t, "define pool", func() (*libvirt.StoragePool, error) { return conn.StoragePoolDefineXML(xml, 0) })
	t.Cleanup(func() {
		t.Run("virsh -c " + t.URI() + " 'pool-destroy " + p.Name + "; pool-undefine " + p.Name + "' >/dev/null 2>&1")
		t.Refuses("look up the pool of a check that is over", libvirt.ERR_NO_STORAGE_POOL, p.lookUp)
		_ = p.Raw.Free()
	})
	return p
}

// lookUp looks the pool up by its name.
func (p *Pool) lookUp() error {
	found, err := p.t.Connection().Raw.LookupStoragePoolByName(p.Name)
	if err == nil {
		_ = found.Free()
	}
	return err
}

// ExpectGone asserts that libvirt does not know the pool.
func (p *Pool) ExpectGone() {
	p.t.Refuses("look undefined pool up", libvirt.ERR_NO_STORAGE_POOL, p.lookUp)
}

// Build makes what the pool is in.
func (p *Pool) Build() {
	p.t.Do("build pool", func() error { return p.Raw.Build(libvirt.STORAGE_POOL_BUILD_NEW) })
}

// Start starts the pool.
func (p *Pool) Start() { p.t.Do("start pool", func() error { return p.Raw.Create(0) }) }

// Refresh has libvirt look at what is in the pool.
func (p *Pool) Refresh() { p.t.Do("refresh pool", func() error { return p.Raw.Refresh(0) }) }

// Destroy stops the pool.
func (p *Pool) Destroy() { p.t.Do("destroy pool", p.Raw.Destroy) }

// Delete removes what the pool is in.
func (p *Pool) Delete() {
	p.t.Do("delete pool", func() error { return p.Raw.Delete(libvirt.STORAGE_POOL_DELETE_NORMAL) })
}

// Undefine removes the definition.
func (p *Pool) Undefine() { p.t.Do("undefine pool", p.Raw.Undefine) }

// Active says that the pool is started.
func (p *Pool) Active() bool { return Get(p.t, "ask whether pool is active", p.Raw.IsActive) }

// Info is what libvirt says of the pool's space, in bytes.
func (p *Pool) Info() *libvirt.StoragePoolInfo { return Get(p.t, "ask for pool info", p.Raw.GetInfo) }

// SetAutostart has the pool start with the daemon, or not.
func (p *Pool) SetAutostart(auto bool) {
	p.t.Do("set autostart of pool", func() error { return p.Raw.SetAutostart(auto) })
}

// Autostart says whether the pool starts with the daemon.
func (p *Pool) Autostart() bool { return Get(p.t, "ask for autostart of pool", p.Raw.GetAutostart) }

// Volumes lists the names of the pool's volumes.
func (p *Pool) Volumes() []string { return Get(p.t, "list volumes", p.Raw.ListStorageVolumes) }

// ExpectNoVolume asserts that the pool has no volume of the name.
func (p *Pool) ExpectNoVolume(name string) {
	p.t.Refuses("look up volume "+name, libvirt.ERR_NO_STORAGE_VOL, func() error {
		_, err := p.Raw.LookupStorageVolByName(name)
		return err
	})
}

// Volume is a volume of a pool.
type Volume struct {
	t   *T
	Raw *libvirt.StorageVol
	// Path is the volume's file in L1.
	Path string
}

// Create makes a volume of a format and capacity in bytes, empty or, unless nil, from
// another one's content.
func (p *Pool) Create(name, format string, capacity uint64, from *Volume) *Volume {
	xml := p.t.Marshal(&libvirtxml.StorageVolume{
		Name: name, Capacity: &libvirtxml.StorageVolumeSize{Value: capacity}, Allocation: &libvirtxml.StorageVolumeSize{},
		Target: &libvirtxml.StorageVolumeTarget{Format: &libvirtxml.StorageVolumeTargetFormat{Type: format}},
	})
	v := &Volume{t: p.t}
	v.Raw = Get(p.t, "create volume "+name, func() (*libvirt.StorageVol, error) {
		if from == nil {
			return p.Raw.StorageVolCreateXML(xml, 0)
		}
		return p.Raw.StorageVolCreateXMLFrom(xml, from.Raw, 0)
	})
	p.t.Cleanup(func() { _ = v.Raw.Free() })
	v.Path = Get(p.t, "ask for path of volume", v.Raw.GetPath)
	if got := v.Info().Capacity; got != capacity {
		p.t.Fail(p.t.Layer, "volume %s was made with a capacity of %d bytes, and has %d", name, capacity, got)
	}
	return v
}

// Info is what libvirt says of the volume's size, in bytes.
func (v *Volume) Info() *libvirt.StorageVolInfo {
	return Get(v.t, "ask for volume info", v.Raw.GetInfo)
}

// Resize gives the volume another capacity in bytes.
func (v *Volume) Resize(capacity uint64) {
	v.t.Do("resize volume", func() error { return v.Raw.Resize(capacity, 0) })
}

// Wipe overwrites the volume.
func (v *Volume) Wipe() { v.t.Do("wipe volume", func() error { return v.Raw.Wipe(0) }) }

// Delete removes the volume.
func (v *Volume) Delete() {
	v.t.Do("delete volume", func() error { return v.Raw.Delete(libvirt.STORAGE_VOL_DELETE_NORMAL) })
}

// ExpectContent asserts that the volume's content is this, byte for byte.
func (v *Volume) ExpectContent(want []byte) {
	got := v.Download()
	if len(got) != len(want) {
		v.t.Fail(v.t.Layer, "%d bytes were downloaded from %s, not %d", len(got), v.Path, len(want))
	}
	if !slices.Equal(got, want) {
		v.t.Fail(v.t.Layer, "the content of %s is another one from byte %d on", v.Path, firstDifference(got, want))
	}
}

func firstDifference(a, b []byte) int {
	for i := range a {
		if i >= len(b) || a[i] != b[i] {
			return i
		}
	}
	return len(a)
}

// SizeOnDisk is how many bytes of L1's disk a file takes.
func (t *T) SizeOnDisk(path string) string {
	return t.Sh("echo $(($(stat -c '%b * %B' " + host.Quote(path) + ")))")
}
