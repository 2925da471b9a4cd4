package storage

import (
	"fmt"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

var _ = check.Register("O-VOL-FOREIGN", check.Spec{
	Asserts:  "A volume that others made is unknown until the pool is refreshed, and then as the file system has it, whatever else lies in the folder",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "0.4.1")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU),
	Control:  sabotage.Swallow("virStoragePoolRefresh"),
}, func(t *steps.T) {
	p := t.DefinePool()
	p.Build()
	p.Start()
	raw, image := p.Path+"/foreign.img", p.Path+"/foreign.qcow2"
	t.Sh(fmt.Sprintf("truncate -s %d %s && dd if=/dev/zero of=%[2]s conv=notrunc bs=64k count=2 status=none && chown 1:2 %[2]s && chmod 640 %[2]s", 3*mib, raw))
	t.Sh(fmt.Sprintf("%s create -q -f qcow2 %s %d", t.QEMUImg(), image, 8*mib))
	// What is no volume must not keep the others from being found.
	t.Sh("cd " + p.Path + " && mkdir folder && mkfifo fifo && ln -s /nowhere dangling && ln -s dangling ring && : >empty && : >'a name with <&> in it'")
	p.ExpectNoVolume("foreign.img")
	conn := t.Connection().Raw
	t.Refuses("look up a volume by its path before the refresh", libvirt.ERR_NO_STORAGE_VOL, func() error { return free(conn.LookupStorageVolByPath(raw)) })
	t.Refuses("look up a volume by its key before the refresh", libvirt.ERR_NO_STORAGE_VOL, func() error { return free(conn.LookupStorageVolByKey(raw)) })
	p.Refresh()
	t.Expect(p.Volumes()).To(ContainElements("foreign.img", "foreign.qcow2", "folder", "empty", "a name with <&> in it"))
	agrees(t, p, "foreign.img", "raw", 3*mib)
	agrees(t, p, "foreign.qcow2", "qcow2", 8*mib)
	t.Expect(t.VirshSays("vol-key --pool " + p.Name + " foreign.img")).To(Equal(raw))
	t.Do("look up the volume by its key", func() error { return free(conn.LookupStorageVolByKey(raw)) })
	t.Sh("rm " + raw)
	p.Refresh()
	p.ExpectNoVolume("foreign.img")
})

// agrees compares what libvirt says of a volume with what stat does.
func agrees(t *steps.T, p *steps.Pool, name, format string, capacity uint64) {
	v := p.Volume(name)
	d := v.XML()
	mode := d.Target.Permissions
	t.Expect([]string{v.Path, d.Key, d.Target.Path, d.Type, d.Target.Format.Type, fmt.Sprint(d.Capacity.Value), fmt.Sprint(d.Allocation.Value)}).To(
		Equal([]string{p.Path + "/" + name, v.Path, v.Path, "file", format, fmt.Sprint(capacity), fmt.Sprint(t.SizeOnDisk(v.Path))}),
		"path, key, target, type, format, capacity and allocation of %s", name)
	t.Expect(mode.Mode+" "+mode.Owner+" "+mode.Group).To(Equal(t.Sh("stat -c '0%a %u %g' "+v.Path)), "mode and owner of %s", name)
}
