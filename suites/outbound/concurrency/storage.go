package concurrency

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// A pool is not refreshed while a volume is being made in it (storagePoolRefresh).
var _ = check.Register("O-CONC-VOL", check.Spec{
	Asserts:  "While clients make and delete volumes and another refreshes the pool, a volume that stays is found, and in the end the files are the volumes",
	Requires: since("0.4.1"),
	Depends:  check.On(matrix.Libvirt),
	Control:  sabotage.Swallow("virStorageVolDelete"),
}, func(t *steps.T) {
	const turns = 12
	p := t.DefinePool()
	p.Build()
	p.Start()
	stays := p.Create("stays", "raw", 1<<20, nil)
	want := []string{"stays"}
	var racers []*steps.Racer
	for n := range 3 {
		pool := p.Own()
		racers = append(racers, steps.NewRacer("make a volume and delete the one before", func(i int) error { return makesNext(pool, n, i) }))
		want = append(want, named(n, turns-1))
	}
	looks := t.NewConnection().Raw
	refreshes := p.Own()
	t.Race(turns, racers,
		steps.NewRacer("refresh the pool", func(int) error { return refreshes.Refresh(0) }, libvirt.ERR_OPERATION_INVALID, libvirt.ERR_INTERNAL_ERROR),
		steps.NewRacer("look up a volume that stays", func(int) error {
			v, err := looks.LookupStorageVolByPath(stays.Path)
			if err == nil {
				_, err = v.GetInfo()
				_ = v.Free()
			}
			return err
		}))
	slices.Sort(want)
	t.Expect(strings.Fields(t.Sh("ls "+p.Path+" | sort"))).To(Equal(want), "files of the pool")
	listed := p.Volumes()
	slices.Sort(listed)
	t.Expect(listed).To(Equal(want), "volumes of the pool")
})

func named(client, turn int) string { return fmt.Sprintf("of-%d-%02d", client, turn) }

// makesNext makes a volume, and deletes the one of the turn before.
func makesNext(pool *libvirt.StoragePool, client, turn int) error {
	xml, err := steps.DescribeVolume(named(client, turn), "qcow2", 1<<20).Marshal()
	if err != nil {
		return err
	}
	v, err := pool.StorageVolCreateXML(xml, 0)
	if err != nil {
		return err
	}
	defer func() { _ = v.Free() }()
	if turn == 0 {
		return nil
	}
	before, err := pool.LookupStorageVolByName(named(client, turn-1))
	if err != nil {
		return err
	}
	defer func() { _ = before.Free() }()
	return before.Delete(0)
}

var _ = check.Register("O-CONC-SNAP", check.Spec{
	Asserts:  "Snapshots that clients at once make and delete of a domain are in the end those that are in its image, each with its parent",
	Requires: since("0.9.13"),
	Depends:  depends,
	Control:  sabotage.Swallow("virDomainSnapshotDelete"),
}, func(t *steps.T) {
	const turns = 8
	image := t.QCOW2("disk", "")
	d := t.Define(domain.WithDisk(image, "qcow2"))
	var racers []*steps.Racer
	var want []string
	for n := range 3 {
		own := t.NewConnection().Lookup(d.Name).Raw
		var xmls []string
		for i := range turns {
			xmls = append(xmls, t.DescribeSnapshot(named(n, i)))
		}
		racers = append(racers, steps.NewRacer("make a snapshot and delete the one before", func(i int) error { return snapshotsNext(own, xmls[i], n, i) }))
		want = append(want, named(n, turns-1))
	}
	lists := t.NewConnection().Lookup(d.Name).Raw
	t.Race(turns, racers, steps.NewRacer("list snapshots", func(int) error {
		all, err := lists.ListAllSnapshots(0)
		for i := range all {
			_ = all[i].Free()
		}
		return err
	}))
	t.Expect(d.Snapshots(0)).To(Equal(want), "snapshots that libvirt lists")
	for _, name := range want {
		t.Expect(want).To(ContainElements(snapshotNames.FindAllString(d.LookupSnapshot(name).Dump(), -1)), "snapshots that the XML of %s names", name)
	}
	t.Expect(strings.Fields(t.Sh(t.QEMUImg()+" snapshot -l "+image+" | awk 'NR>2{print $2}' | sort"))).To(Equal(want), "snapshots in the image")
})

var snapshotNames = regexp.MustCompile(`of-\d+-\d+`)

// snapshotsNext makes a snapshot, and deletes the one of the turn before.
func snapshotsNext(d *libvirt.Domain, xml string, client, turn int) error {
	s, err := d.CreateSnapshotXML(xml, 0)
	if err != nil {
		return err
	}
	defer func() { _ = s.Free() }()
	if turn == 0 {
		return nil
	}
	before, err := d.SnapshotLookupByName(named(client, turn-1), 0)
	if err != nil {
		return err
	}
	defer func() { _ = before.Free() }()
	return before.Delete(0)
}
