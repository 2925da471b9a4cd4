package steps

import (
	"slices"
	"strconv"

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
func (t *T) DefinePool() *Pool { return t.DefinePoolOf(libvirtxml.StoragePool{Type: "dir"}) }

// DefinePoolOf defines a pool of a type and source on L1's scratch disk, unless it has a
// target of its own. It is gone when the check is over.
func (t *T) DefinePoolOf(d libvirtxml.StoragePool) *Pool {
	p := t.NewPool()
	d.Name = p.Name
	if d.Target == nil {
		d.Target = &libvirtxml.StoragePoolTarget{Path: p.Path}
	}
	conn, xml := t.Connection().Raw, t.Marshal(&d)
	p.Raw = Get(t, "define pool", func() (*libvirt.StoragePool, error) { return conn.StoragePoolDefineXML(xml, 0) })
	t.Cleanup(func() { _ = p.Raw.Free() })
	return p
}

// DefinePoolAt defines and starts a directory pool in a folder that is there.
func (t *T) DefinePoolAt(folder string) *Pool {
	p := t.DefinePoolOf(libvirtxml.StoragePool{Type: "dir", Target: &libvirtxml.StoragePoolTarget{Path: folder}})
	p.Path = folder
	p.Start()
	return p
}

// NewPool names a pool that is not there yet. It is gone when the check is over.
func (t *T) NewPool() *Pool {
	name := t.NewGuest().Name + "-pool"
	p := &Pool{t: t, Name: name, Path: t.Scratch(name)}
	t.Cleanup(func() {
		t.Run("virsh -c " + t.URI() + " 'pool-destroy " + p.Name + "; pool-undefine " + p.Name + "' >/dev/null 2>&1")
		t.Refuses("look up the pool of a check that is over", libvirt.ERR_NO_STORAGE_POOL, p.lookUp)
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

// LookUp finds the pool that has the name now.
func (p *Pool) LookUp() {
	conn := p.t.Connection().Raw
	p.Raw = Get(p.t, "look pool up", func() (*libvirt.StoragePool, error) { return conn.LookupStoragePoolByName(p.Name) })
	found := p.Raw
	p.t.Cleanup(func() { _ = found.Free() })
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

// UUID is the pool's, in its usual form.
func (p *Pool) UUID() string { return Get(p.t, "ask for UUID of pool", p.Raw.GetUUIDString) }

// Dump returns the definition of the pool.
func (p *Pool) Dump() string {
	return Get(p.t, "dump pool XML", func() (string, error) { return p.Raw.GetXMLDesc(libvirt.STORAGE_XML_INACTIVE) })
}

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
	v := p.CreateAs(DescribeVolume(name, format, capacity), from)
	if got := v.Info().Capacity; got != capacity {
		p.t.Fail(p.t.Layer, "volume %s was made with a capacity of %d bytes, and has %d", name, capacity, got)
	}
	return v
}

// DescribeVolume describes a volume of which nothing is allocated yet.
func DescribeVolume(name, format string, capacity uint64) *libvirtxml.StorageVolume {
	return &libvirtxml.StorageVolume{
		Name: name, Capacity: &libvirtxml.StorageVolumeSize{Value: capacity}, Allocation: &libvirtxml.StorageVolumeSize{},
		Target: &libvirtxml.StorageVolumeTarget{Format: &libvirtxml.StorageVolumeTargetFormat{Type: format}},
	}
}

// CreateAs makes a volume as described, empty or, unless nil, from another one's
// content.
func (p *Pool) CreateAs(d *libvirtxml.StorageVolume, from *Volume) *Volume {
	return p.CreateFrom(p.t.Marshal(d), from)
}

// CreateFrom makes a volume from its XML, empty or, unless nil, from another one's
// content.
func (p *Pool) CreateFrom(xml string, from *Volume) *Volume {
	return p.volume("create volume", func() (*libvirt.StorageVol, error) {
		if from == nil {
			return p.Raw.StorageVolCreateXML(xml, 0)
		}
		return p.Raw.StorageVolCreateXMLFrom(xml, from.Raw, 0)
	})
}

// Volume is the pool's volume of a name.
func (p *Pool) Volume(name string) *Volume {
	return p.volume("look up volume "+name, func() (*libvirt.StorageVol, error) { return p.Raw.LookupStorageVolByName(name) })
}

func (p *Pool) volume(op string, get func() (*libvirt.StorageVol, error)) *Volume {
	v := &Volume{t: p.t, Raw: Get(p.t, op, get)}
	p.t.Cleanup(func() { _ = v.Raw.Free() })
	v.Path = Get(p.t, "ask for path of volume", v.Raw.GetPath)
	return v
}

// XML is what libvirt says of the volume.
func (v *Volume) XML() (d libvirtxml.StorageVolume) {
	v.t.Parse("the volume's XML", Get(v.t, "dump volume XML", func() (string, error) { return v.Raw.GetXMLDesc(0) }), &d)
	return d
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

// SizeOnDisk is how many bytes of L1's disk a file takes, once all is written that was to be.
func (t *T) SizeOnDisk(path string) int {
	said := t.Sh("sync " + host.Quote(path) + " && echo $(($(stat -c '%b * %B' " + host.Quote(path) + ")))")
	bytes, err := strconv.Atoi(said)
	t.must(err, "read the size of a file on disk")
	return bytes
}
