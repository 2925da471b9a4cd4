package steps

import "libvirt.org/go/libvirt"

// WatchIOErrors collects what libvirt tells of errors of the domain's disks.
func (d *Domain) WatchIOErrors() *Heard[libvirt.DomainEventIOErrorReason] {
	return watch(d, func(conn *libvirt.Connect, take func(libvirt.DomainEventIOErrorReason)) (int, error) {
		return conn.DomainEventIOErrorReasonRegister(d.Raw, func(_ *libvirt.Connect, _ *libvirt.Domain, e *libvirt.DomainEventIOErrorReason) { take(*e) })
	})
}

// WatchGraphics collects what libvirt tells of clients of the domain's displays.
func (d *Domain) WatchGraphics() *Heard[libvirt.DomainEventGraphics] {
	return watch(d, func(conn *libvirt.Connect, take func(libvirt.DomainEventGraphics)) (int, error) {
		return conn.DomainEventGraphicsRegister(d.Raw, func(_ *libvirt.Connect, _ *libvirt.Domain, e *libvirt.DomainEventGraphics) { take(*e) })
	})
}

// WatchCompleted collects what libvirt tells of jobs of the domain that are over.
func (d *Domain) WatchCompleted() *Heard[libvirt.DomainJobInfo] {
	return watch(d, func(conn *libvirt.Connect, take func(libvirt.DomainJobInfo)) (int, error) {
		return conn.DomainEventJobCompletedRegister(d.Raw, func(_ *libvirt.Connect, _ *libvirt.Domain, e *libvirt.DomainEventJobCompleted) { take(e.Info) })
	})
}

// WatchReboots collects what libvirt tells of reboots of the domain.
func (d *Domain) WatchReboots() *Heard[string] {
	return watch(d, func(conn *libvirt.Connect, take func(string)) (int, error) {
		return conn.DomainEventRebootRegister(d.Raw, func(*libvirt.Connect, *libvirt.Domain) { take("reboot") })
	})
}

// WatchDiskChanges collects what libvirt tells of media that changed and disks that are missing.
func (d *Domain) WatchDiskChanges() *Heard[libvirt.DomainEventDiskChange] {
	return watch(d, func(conn *libvirt.Connect, take func(libvirt.DomainEventDiskChange)) (int, error) {
		return conn.DomainEventDiskChangeRegister(d.Raw, func(_ *libvirt.Connect, _ *libvirt.Domain, e *libvirt.DomainEventDiskChange) { take(*e) })
	})
}
