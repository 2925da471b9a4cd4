package steps

import (
	"errors"
	"fmt"
	"slices"

	"github.com/virtmatrix/virtmatrix/internal/layout"
	"libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"
)

// TryBackup begins a backup, and with it a checkpoint unless its name is empty, and
// returns libvirt's error.
func (d *Domain) TryBackup(b *libvirtxml.DomainBackup, checkpoint string) error {
	xml, with := d.t.Marshal(b), ""
	if checkpoint != "" {
		with = d.t.Marshal(&libvirtxml.DomainCheckpoint{Name: checkpoint})
	}
	return d.t.Try("begin backup", func() error { return d.Raw.BackupBegin(xml, with, 0) })
}

// Push describes a backup of a disk that libvirt writes to a new image: all of it, or
// what changed since a checkpoint.
func Push(dev, image, since string) *libvirtxml.DomainBackup {
	disk := libvirtxml.DomainBackupPushDisk{
		Name: dev, Backup: "yes", Driver: &libvirtxml.DomainBackupDiskDriver{Type: "qcow2"},
		Target: &libvirtxml.DomainDiskSource{File: &libvirtxml.DomainDiskSourceFile{File: image}},
	}
	return &libvirtxml.DomainBackup{Incremental: since, Push: &libvirtxml.DomainBackupPush{
		Disks: &libvirtxml.DomainBackupPushDisks{Disks: []libvirtxml.DomainBackupPushDisk{disk}},
	}}
}

// Pull describes a backup of a disk that is read from an NBD server on a socket.
func Pull(dev, socket, scratch string) *libvirtxml.DomainBackup {
	disk := libvirtxml.DomainBackupPullDisk{
		Name: dev, Backup: "yes", ExportName: dev,
		Scratch: &libvirtxml.DomainDiskSource{File: &libvirtxml.DomainDiskSourceFile{File: scratch}},
	}
	return &libvirtxml.DomainBackup{Pull: &libvirtxml.DomainBackupPull{
		Server: &libvirtxml.DomainBackupPullServer{UNIX: &libvirtxml.DomainBackupPullServerUNIX{Socket: socket}},
		Disks:  &libvirtxml.DomainBackupPullDisks{Disks: []libvirtxml.DomainBackupPullDisk{disk}},
	}}
}

// Backup begins a backup that must begin.
func (d *Domain) Backup(b *libvirtxml.DomainBackup, checkpoint string) {
	if err := d.TryBackup(b, checkpoint); err != nil {
		d.t.Fail(d.t.Layer, "begin backup: %s", Text(err))
	}
}

// WaitBackup waits until the backup is over, and returns whether libvirt calls it done.
func (d *Domain) WaitBackup() bool {
	d.t.Until(stateLimit, "the backup is over", func() bool {
		err := d.t.Try("ask for backup", func() error { _, err := d.Raw.BackupGetXMLDesc(0); return err })
		if code := Code(err); err != nil && code != libvirt.ERR_NO_DOMAIN_BACKUP {
			d.t.Fail(d.t.Layer, "asking for a backup that is over gives error %d: %s", code, Text(err))
		}
		return err != nil
	})
	job := Get(d.t, "ask for the job that is over", func() (*libvirt.DomainJobInfo, error) {
		return d.Raw.GetJobStats(libvirt.DOMAIN_JOB_STATS_COMPLETED)
	})
	return job.Type == libvirt.DOMAIN_JOB_COMPLETED
}

// PushTo makes a backup as Push describes it, to its end. libvirt calls it done before it has
// the emulator close the image, which may not have all of it until then: this waits for the
// emulator to give up its lock (qemuBlockJobProcessEventConcludedBackup).
func (d *Domain) PushTo(dev, image, since, checkpoint string) {
	d.Backup(Push(dev, image, since), checkpoint)
	if !d.WaitBackup() {
		d.t.Fail(d.t.Layer, "the backup to %s is over, and was not completed", image)
	}
	looks := 0
	d.t.Until(stateLimit, "the emulator closes "+image, func() bool {
		looks++
		return d.t.Run(d.t.Program(layout.QEMUImg) + " info " + image).OK()
	})
	if looks > 1 {
		d.t.Note("libvirt called the backup to %s done while the emulator had it open", image)
	}
}

// NBDSocket names a socket in L1 in a folder where emulators may make it, and the URL
// of the export of a name there.
func (t *T) NBDSocket(name, export string) (socket, url string) {
	dir := t.Scratch(name)
	t.Sh("install -d -m 777 " + dir)
	socket = dir + "/nbd"
	return socket, fmt.Sprintf("nbd+unix:///%s?socket=%s", export, socket)
}

// Checkpoints lists the names of the domain's checkpoints, in their order.
func (d *Domain) Checkpoints() (names []string) {
	d.t.Do("list checkpoints", func() error {
		all, err := d.Raw.ListAllCheckpoints(0)
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

// TryDeleteCheckpoint removes a checkpoint and returns libvirt's error.
func (d *Domain) TryDeleteCheckpoint(name string, flags libvirt.DomainCheckpointDeleteFlags) error {
	return d.t.Try("delete checkpoint "+name, func() error {
		c, err := d.Raw.CheckpointLookupByName(name, 0)
		if err != nil {
			return err
		}
		defer func() { _ = c.Free() }()
		return c.Delete(flags)
	})
}
