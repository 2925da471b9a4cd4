package steps

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/virtmatrix/virtmatrix/matrix"
	"libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"
)

// Snapshot is a snapshot of a domain.
type Snapshot struct {
	t *T
	// Raw is the binding's, for calls that are to be refused.
	Raw  *libvirt.DomainSnapshot
	Name string
}

// SnapshotPart says what becomes of a part of the domain in a snapshot.
type SnapshotPart func(*libvirtxml.DomainSnapshot)

// Internal keeps a disk's state in its own image.
func Internal(dev string) SnapshotPart {
	return ofDisk(libvirtxml.DomainSnapshotDisk{Name: dev, Snapshot: "internal"})
}

// External keeps a disk's state by writing what comes later to a new image.
func External(dev, file string) SnapshotPart {
	source := &libvirtxml.DomainDiskSource{File: &libvirtxml.DomainDiskSourceFile{File: file}}
	return ofDisk(libvirtxml.DomainSnapshotDisk{Name: dev, Snapshot: "external", Source: source})
}

// Without leaves a disk out of the snapshot.
func Without(dev string) SnapshotPart {
	return ofDisk(libvirtxml.DomainSnapshotDisk{Name: dev, Snapshot: "no"})
}

func ofDisk(disk libvirtxml.DomainSnapshotDisk) SnapshotPart {
	return func(s *libvirtxml.DomainSnapshot) {
		if s.Disks == nil {
			s.Disks = &libvirtxml.DomainSnapshotDisks{}
		}
		s.Disks.Disks = append(s.Disks.Disks, disk)
	}
}

// MemoryIn keeps the guest's memory in a file.
func MemoryIn(file string) SnapshotPart {
	return func(s *libvirtxml.DomainSnapshot) {
		s.Memory = &libvirtxml.DomainSnapshotMemory{Snapshot: "external", File: file}
	}
}

// DescribeSnapshot is the XML of a snapshot that is to be made.
func (t *T) DescribeSnapshot(name string, parts ...SnapshotPart) string {
	s := &libvirtxml.DomainSnapshot{Name: name}
	for _, part := range parts {
		part(s)
	}
	return t.Marshal(s)
}

// Snapshot takes a snapshot of the domain.
func (d *Domain) Snapshot(name string, flags libvirt.DomainSnapshotCreateFlags, parts ...SnapshotPart) *Snapshot {
	return d.SnapshotFrom(name, d.t.DescribeSnapshot(name, parts...), flags)
}

// SnapshotFrom takes or redefines a snapshot from its XML.
func (d *Domain) SnapshotFrom(name, xml string, flags libvirt.DomainSnapshotCreateFlags) *Snapshot {
	s := &Snapshot{t: d.t, Name: name}
	s.Raw = Get(d.t, "create snapshot "+name, func() (*libvirt.DomainSnapshot, error) { return d.Raw.CreateSnapshotXML(xml, flags) })
	d.t.Cleanup(func() { _ = s.Raw.Free() })
	return s
}

// LookupSnapshot returns a snapshot that the domain has.
func (d *Domain) LookupSnapshot(name string) *Snapshot {
	s := &Snapshot{t: d.t, Name: name}
	s.Raw = Get(d.t, "look up snapshot "+name, func() (*libvirt.DomainSnapshot, error) { return d.Raw.SnapshotLookupByName(name, 0) })
	d.t.Cleanup(func() { _ = s.Raw.Free() })
	return s
}

// Snapshots lists the names of the domain's snapshots, in their order.
func (d *Domain) Snapshots(flags libvirt.DomainSnapshotListFlags) (names []string) {
	d.t.Do("list snapshots", func() error {
		all, err := d.Raw.ListAllSnapshots(flags)
		for i := range all {
			name, nameErr := all[i].GetName()
			names, err = append(names, name), errors.Join(err, nameErr)
			_ = all[i].Free()
		}
		return err
	})
	slices.Sort(names)
	return names
}

// Revert has the domain become what it was.
func (s *Snapshot) Revert(flags libvirt.DomainSnapshotRevertFlags) {
	s.t.Do("revert to snapshot "+s.Name, func() error { return s.Raw.RevertToSnapshot(flags) })
}

// Delete removes the snapshot.
func (s *Snapshot) Delete(flags libvirt.DomainSnapshotDeleteFlags) {
	s.t.Do("delete snapshot "+s.Name, func() error { return s.Raw.Delete(flags) })
}

// Dump returns the snapshot's XML.
func (s *Snapshot) Dump() string {
	return Get(s.t, "dump snapshot XML", func() (string, error) { return s.Raw.GetXMLDesc(0) })
}

// IsCurrent says whether the domain's state came from this snapshot.
func (s *Snapshot) IsCurrent() bool {
	return Get(s.t, "ask whether snapshot is current", func() (bool, error) { return s.Raw.IsCurrent(0) })
}

// Parent is the name of the snapshot that this one came from.
func (s *Snapshot) Parent() string {
	return Get(s.t, "ask for parent of snapshot", func() (string, error) {
		parent, err := s.Raw.GetParent(0)
		if err != nil {
			return "", err
		}
		defer func() { _ = parent.Free() }()
		return parent.GetName()
	})
}

// DiskChain lists the files of a disk as the domain's XML tells, the active one first.
func (d *Domain) DiskChain(dev string) (files []string) {
	var live libvirtxml.Domain
	d.t.Parse("the live XML", d.Dump(0), &live)
	for _, disk := range live.Devices.Disks {
		if disk.Target == nil || disk.Target.Dev != dev {
			continue
		}
		source, next := disk.Source, disk.BackingStore
		for source != nil && source.File != nil && source.File.File != "" {
			files = append(files, source.File.File)
			if source = nil; next != nil {
				source, next = next.Source, next.BackingStore
			}
		}
	}
	return files
}

// chainLimit bounds how long a small disk's images may take to become others, at scale 1.
const chainLimit = 20 * time.Second

// WaitDiskChain waits until a disk's files are these, as the domain's XML tells and as
// the images themselves do.
func (d *Domain) WaitDiskChain(dev string, want ...string) {
	var got []string
	defer func() {
		if !slices.Equal(got, want) {
			d.t.Note("the chain of %s was %q, to be %q", dev, got, want)
		}
	}()
	d.t.Until(chainLimit, fmt.Sprintf("the chain of %s is %q", dev, want), func() bool {
		got = d.DiskChain(dev)
		return slices.Equal(got, want)
	})
	if own := d.t.Chain(want[0]); !slices.Equal(own, want) {
		d.t.Fail(d.t.Layer, "the images of %s are a chain of %q, and the domain's XML says %q", dev, own, want)
	}
}

// XenDomainLacks says that the check is over on Xen, whose driver lacks the call for
// any domain.
func (t *T) XenDomainLacks(op string, call func(*libvirt.Domain) error) bool {
	if t.Kind() != matrix.Xen {
		return false
	}
	d := t.Define()
	return t.LacksOnXen(op, func() error { return call(d.Raw) })
}
