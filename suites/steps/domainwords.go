package steps

import (
	"github.com/virtmatrix/virtmatrix/matrix"
	"libvirt.org/go/libvirt"
)

// OrNoSupport is the code on kvm, and on Xen that of a call that the libxl driver does
// not have (libxlHypervisorDriver).
func (t *T) OrNoSupport(code libvirt.ErrorNumber) libvirt.ErrorNumber {
	if t.Kind() == matrix.Xen {
		return libvirt.ERR_NO_SUPPORT
	}
	return code
}

// StartPaused starts the domain with its processors stopped: all of libvirt's work is
// done, and no guest boots.
func (d *Domain) StartPaused() { d.StartWith(libvirt.DOMAIN_START_PAUSED) }

// Again is the domain as libvirt knows it now: the client keeps the ID that it had when
// it was looked up, and a connection that ended leads nowhere.
func (d *Domain) Again() *Domain {
	again := d.t.Connection().Lookup(d.Name)
	again.Token, again.XML, again.console = d.Token, d.XML, d.console
	return again
}

// Reboot asks the guest to boot anew.
func (d *Domain) Reboot(mode libvirt.DomainRebootFlagValues) {
	d.t.Do("reboot domain", func() error { return d.Raw.Reboot(mode) })
}

// SetAutostart has the domain start with the daemon, or not.
func (d *Domain) SetAutostart(auto bool) {
	d.t.Do("set autostart of domain", func() error { return d.Raw.SetAutostart(auto) })
}

// Autostart says whether the domain starts with the daemon.
func (d *Domain) Autostart() bool {
	return Get(d.t, "ask for autostart of domain", d.Raw.GetAutostart)
}

// RestoreWith restores a domain from the file that it was saved to, with other XML
// unless that is empty.
func (c *Connection) RestoreWith(file, xml string, flags libvirt.DomainSaveRestoreFlags) {
	c.t.Do("restore domain", func() error { return c.Raw.DomainRestoreFlags(file, xml, flags) })
}
