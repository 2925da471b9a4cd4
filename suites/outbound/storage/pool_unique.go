package storage

import (
	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"
)

var _ = check.Register("O-POOL-UNIQ", check.Spec{
	Asserts:  "A pool with the name, the UUID or the folder of another one is refused, and a name that is free again may have another UUID",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "0.4.1")},
	Depends:  check.On(matrix.Libvirt),
	Control:  sabotage.ChangeCode("virStoragePoolDefineXML", libvirt.ERR_INTERNAL_ERROR),
}, func(t *steps.T) {
	for _, running := range []bool{false, true} {
		p, other := t.DefinePool(), t.NewPool()
		p.Build()
		if running {
			p.Start()
		}
		before := p.Dump()
		for what, twin := range map[string]libvirtxml.StoragePool{
			"name":   dir(p.Name, "", other.Path),
			"UUID":   dir(other.Name, p.UUID(), other.Path),
			"folder": dir(other.Name, "", p.Path),
		} {
			t.Refuses("define another pool with the "+what+" of a pool", libvirt.ERR_OPERATION_FAILED, define(t, twin))
			t.Refuses("create another pool with the "+what+" of a pool", libvirt.ERR_OPERATION_FAILED, create(t, twin))
		}
		t.Expect(p.Dump()).To(Equal(before), "the pool whose name, UUID and folder were asked for")
		same := dir(p.Name, p.UUID(), p.Path)
		t.Do("define pool anew", define(t, same))
		if running {
			t.Refuses("create a pool that runs", libvirt.ERR_OPERATION_INVALID, create(t, same))
		} else {
			t.Do("create a pool that is off", create(t, same))
		}
		t.Expect(p.Active()).To(BeTrue(), "the pool is active in the end")
		other.ExpectGone()
	}
	freesNames(t)
})

// freesNames creates and destroys transient pools of one name: no UUID of an earlier
// one may be left in a cache.
func freesNames(t *steps.T) {
	conn, p := t.Connection().Raw, t.NewPool()
	t.Sh("mkdir -p " + p.Path)
	var last string
	for range 3 {
		t.Do("create pool", create(t, dir(p.Name, "", p.Path)))
		p.LookUp()
		t.Expect(p.UUID()).NotTo(Equal(last), "UUID of another pool with the name")
		if last != "" {
			t.Refuses("look up a pool that was destroyed by its UUID", libvirt.ERR_NO_STORAGE_POOL, func() error {
				_, err := conn.LookupStoragePoolByUUIDString(last)
				return err
			})
		}
		last = p.UUID()
		p.Destroy()
		p.ExpectGone()
	}
}

// dir describes a directory pool.
func dir(name, uuid, path string) libvirtxml.StoragePool {
	return libvirtxml.StoragePool{Type: "dir", Name: name, UUID: uuid, Target: &libvirtxml.StoragePoolTarget{Path: path}}
}

func define(t *steps.T, d libvirtxml.StoragePool) func() error {
	conn, xml := t.Connection().Raw, t.Marshal(&d)
	return func() error { return free(conn.StoragePoolDefineXML(xml, 0)) }
}

func create(t *steps.T, d libvirtxml.StoragePool) func() error {
	conn, xml := t.Connection().Raw, t.Marshal(&d)
	return func() error { return free(conn.StoragePoolCreateXML(xml, 0)) }
}

// free drops what a call returned of which only the error is wanted.
func free[V interface{ Free() error }](v V, err error) error {
	if err == nil {
		_ = v.Free()
	}
	return err
}

var _ = check.Register("O-POOL-INACTIVE", check.Spec{
	Asserts:  "What needs a running pool is refused on one that is off, what needs one that is off on a running one, and no file is touched",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "0.10.2")},
	Depends:  check.On(matrix.Libvirt),
	Control:  sabotage.Swallow("virStoragePoolRefresh"),
}, func(t *steps.T) {
	p := t.DefinePool()
	p.Build()
	p.Start()
	v := p.Create("there.img", "raw", kib, nil)
	before := t.Images(p.Path)
	xml := t.Marshal(steps.DescribeVolume("new.img", "raw", kib))
	refused := func(state string, calls map[string]func() error) {
		for what, call := range calls {
			t.Refuses(what+" of a pool that is "+state, libvirt.ERR_OPERATION_INVALID, call)
		}
	}
	refused("running", map[string]func() error{
		"start":   func() error { return p.Raw.Create(0) },
		"build":   func() error { return p.Raw.Build(0) },
		"delete":  func() error { return p.Raw.Delete(0) },
		"removal": p.Raw.Undefine,
	})
	p.Destroy()
	refused("off", map[string]func() error{
		"destruction":              p.Raw.Destroy,
		"refresh":                  func() error { return p.Raw.Refresh(0) },
		"list of volumes":          func() error { _, err := p.Raw.ListAllStorageVolumes(0); return err },
		"volume by name":           func() error { return free(p.Raw.LookupStorageVolByName("there.img")) },
		"new volume":               func() error { return free(p.Raw.StorageVolCreateXML(xml, 0)) },
		"clone of a volume":        func() error { return free(p.Raw.StorageVolCreateXMLFrom(xml, v.Raw, 0)) },
		"info about a volume":      func() error { _, err := v.Raw.GetInfo(); return err },
		"deletion of a volume":     func() error { return v.Raw.Delete(0) },
		"another size of a volume": func() error { return v.Raw.Resize(2*kib, 0) },
	})
	t.Expect(t.Virsh("vol-list "+p.Name).Code).To(Equal(1), "status of virsh vol-list on a pool that is off")
	t.Expect(t.Images(p.Path).Since(before)).To(BeEmpty(), "what became of the pool's files")
})
