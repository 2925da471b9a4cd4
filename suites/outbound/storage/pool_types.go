package storage

import (
	"encoding/xml"
	"slices"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"
)

var _ = check.Register("O-POOL-OTH", check.Spec{
	Asserts:  "Pools of each type are known as the capabilities say, and one whose source is not there does not start",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "5.2.0")},
	Depends:  check.On(matrix.Libvirt),
	Control:  sabotage.Alter("virConnectGetStoragePoolCapabilities", "type='dir' supported='yes'", "type='dir' supported='no'"),
}, func(t *steps.T) {
	conn := t.Connection().Raw
	var can poolCapabilities
	t.Parse("pool capabilities", steps.Get(t, "ask for pool capabilities", func() (string, error) { return conn.GetStoragePoolCapabilities(0) }), &can)
	t.Expect(can.types("yes")).To(ContainElements("dir", "fs", "netfs"), "types that every libvirt has")
	t.Expect(t.VirshSays("pool-capabilities")).To(ContainSubstring("<pool type='dir' supported='yes'>"))
	for typ, source := range absentSources(t) {
		d := libvirtxml.StoragePool{Type: typ, Source: source}
		if slices.Contains(can.types("no"), typ) {
			refusesType(t, d)
		} else if slices.Contains(can.types("yes"), typ) {
			doesNotStart(t, d)
		}
	}
	t.Refuses("look for sources of a type that has none", libvirt.ERR_NO_SUPPORT, func() error {
		_, err := conn.FindStoragePoolSources("dir", "", 0)
		return err
	})
})

// poolCapabilities say which types of pools libvirt has.
type poolCapabilities struct {
	Pools []struct {
		Type      string `xml:"type,attr"`
		Supported string `xml:"supported,attr"`
	} `xml:"pool"`
}

// Unmarshal reads the XML.
func (c *poolCapabilities) Unmarshal(text string) error { return xml.Unmarshal([]byte(text), c) }

func (c *poolCapabilities) types(supported string) (types []string) {
	for _, p := range c.Pools {
		if p.Supported == supported {
			types = append(types, p.Type)
		}
	}
	return types
}

// absentSources are sources of pools that no host has, by type. What is asked of a
// server is refused at once by this host itself.
func absentSources(t *steps.T) map[string]*libvirtxml.StoragePoolSource {
	host := []libvirtxml.StoragePoolSourceHost{{Name: "127.0.0.1"}}
	device := func(path string) []libvirtxml.StoragePoolSourceDevice {
		return []libvirtxml.StoragePoolSourceDevice{{Path: path}}
	}
	const target = "iqn.2026-01.example:absent"
	initiator := &libvirtxml.StoragePoolSourceInitiator{IQN: libvirtxml.StoragePoolSourceInitiatorIQN{Name: target}}
	return map[string]*libvirtxml.StoragePoolSource{
		"dir":          nil,
		"fs":           {Device: device(t.Scratch("absent"))},
		"netfs":        {Host: host, Dir: &libvirtxml.StoragePoolSourceDir{Path: "/absent"}},
		"logical":      {Name: "absent"},
		"disk":         {Device: device(t.Scratch("absent"))},
		"iscsi":        {Host: host, Device: device(target)},
		"iscsi-direct": {Host: host, Device: device(target), Initiator: initiator},
		"scsi":         {Adapter: &libvirtxml.StoragePoolSourceAdapter{Type: "scsi_host", Name: "host99"}},
		"zfs":          {Name: "absent"},
		"vstorage":     {Name: "absent"},
	}
}

// refusesType: the capabilities say that libvirt was built, or is installed, without
// the type.
func refusesType(t *steps.T, d libvirtxml.StoragePool) {
	p := t.NewPool()
	d.Name, d.Target = p.Name, &libvirtxml.StoragePoolTarget{Path: p.Path}
	t.Refuses("define a pool of type "+d.Type+", which the capabilities do not have", libvirt.ERR_INTERNAL_ERROR, define(t, d))
	p.ExpectGone()
}

func doesNotStart(t *steps.T, d libvirtxml.StoragePool) {
	p := t.DefinePoolOf(d)
	err := t.Try("start a pool of type "+d.Type, func() error { return p.Raw.Create(0) })
	t.Expect(err).To(HaveOccurred(), "start of a %s pool whose source is not there", d.Type)
	t.Expect(p.Active()).To(BeFalse(), "a %s pool that could not be started is active", d.Type)
	p.Undefine()
	p.ExpectGone()
}

var _ = check.Register("O-POOL-FS", check.Spec{
	Asserts:  "A pool on a file system is formatted once, mounted while it runs, and has its volumes again when it is started again",
	Requires: []matrix.Requirement{matrix.OwnKernel, matrix.Since(matrix.Libvirt, "0.8.7")},
	Depends:  check.On(matrix.Linux, matrix.Libvirt, matrix.XenHyp),
	Control:  sabotage.Swallow("virStoragePoolDestroy"),
}, func(t *steps.T) {
	// A file would be mounted as well, through a loop device that libvirt knows nothing of.
	image := t.LoopDevice(t.DiskImage("device", 16*mib), "")
	p := t.DefinePoolOf(libvirtxml.StoragePool{Type: "fs", Source: &libvirtxml.StoragePoolSource{
		Device: []libvirtxml.StoragePoolSourceDevice{{Path: image}}, Format: &libvirtxml.StoragePoolSourceFormat{Type: "ext4"},
	}})
	build := func(flags libvirt.StoragePoolBuildFlags) func() error {
		return func() error { return p.Raw.Build(flags) }
	}
	mounted := func() bool { return t.Run("grep -q ' " + p.Path + " ext4 ' /proc/mounts").OK() }
	t.Do("format pool", build(libvirt.STORAGE_POOL_BUILD_NO_OVERWRITE))
	t.Expect(t.Try("format pool again", build(libvirt.STORAGE_POOL_BUILD_NO_OVERWRITE))).To(HaveOccurred(), "formatting what has a file system")
	p.Start()
	t.Expect(mounted()).To(BeTrue(), "the running pool is mounted")
	content := noise(64 * kib)
	p.Create("kept.img", "raw", uint64(len(content)), nil).Upload(content)
	p.Destroy()
	t.Expect(mounted()).To(BeFalse(), "the stopped pool is mounted")
	p.Start()
	p.Volume("kept.img").ExpectContent(content)
	p.Destroy()
})
