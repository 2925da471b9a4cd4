package steps

import (
	"context"
	"strings"

	"github.com/virtmatrix/virtmatrix/fixtures/l2"
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

// ourVendor is the GUID of variables that are ours.
const ourVendor = "76697274-6d61-7472-6978-000000000001"

// lasting are the attributes of a variable that is kept and that a running system may use
// (EFI_VARIABLE_NON_VOLATILE, BOOTSERVICE_ACCESS and RUNTIME_ACCESS of the UEFI specification),
// as its file begins.
const lasting = "\x07\x00\x00\x00"

// MountEFIVars has the guest mount the variables of its firmware, which it does once a boot.
func (g *Guest) MountEFIVars() {
	g.ask(guestAnswer, "mount the variables of its firmware", func(ctx context.Context, c *l2.Client) error { return c.MountEFIVars(ctx) })
}

// SetEFIVar has the guest set a variable of its firmware that is not there yet.
func (g *Guest) SetEFIVar(name, value string) { g.StoreFile(fileOfVar(name), lasting+value) }

// EFIVar is the value of a variable of the guest's firmware that is ours; empty where there is
// none.
func (g *Guest) EFIVar(name string) (value string) {
	g.can("read variable "+name, func(c *l2.Client, ctx context.Context) error {
		content, err := c.Load(ctx, fileOfVar(name))
		value = strings.TrimPrefix(string(content), lasting)
		return err
	})
	return value
}

func fileOfVar(name string) string { return l2.EFIVarsDir + "/" + name + "-" + ourVendor }
