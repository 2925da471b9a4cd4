package steps

import (
	"github.com/virtmatrix/virtmatrix/internal/layout"
	"libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"
)

// UEFI is the host's firmware for guests that boot by UEFI, whatever the cell's
// setting is.
func (t *T) UEFI() layout.Firmware {
	f, err := t.Layout().UEFI()
	t.must(err, "find UEFI firmware")
	return f
}

// NVRAM is the file that the running guest's firmware keeps its variables in, as the
// live XML tells. It is removed when the check is over.
func (d *Domain) NVRAM() string {
	var live libvirtxml.Domain
	d.t.Parse("the live XML", d.Dump(0), &live)
	if live.OS == nil || live.OS.NVRam == nil || live.OS.NVRam.NVRam == "" {
		d.t.Fail(d.t.Layer, "the live XML names no file for the firmware's variables")
	}
	d.t.RemoveAfter(live.OS.NVRam.NVRam)
	return live.OS.NVRam.NVRam
}

// UndefineWith removes the definition with flags.
func (d *Domain) UndefineWith(flags libvirt.DomainUndefineFlagsValues) {
	d.t.Do("undefine domain", func() error { return d.Raw.UndefineFlags(flags) })
}
