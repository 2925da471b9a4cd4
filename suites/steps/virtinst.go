package steps

import (
	"fmt"
	"strings"

	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/internal/host"
)

// Python says what it thinks of in the language of its user, and keeps its things in the home.
const virtInstEnv = "HOME=/root LC_ALL=C.UTF-8 "

// VirtInstall has virt-install describe a guest with these options besides those that
// every guest of ours needs: its kernel, and a serial port to answer at. With --print-xml
// among them it only prints the XML, and otherwise makes the guest.
func (t *T) VirtInstall(g domain.Guest, options ...string) (said string) {
	is := t.Describe(g)
	all := append([]string{
		"virt-install", "--connect", t.URI(), "--name", g.Name, "--memory", fmt.Sprint(is.Memory.Value), "--virt-type", is.Type,
		"--machine", is.OS.Type.Machine, "--import", "--graphics none", "--noautoconsole",
		"--boot", host.Quote("kernel=" + g.Kernel + ",initrd=" + g.Initrd + ",kernel_args=" + is.OS.Cmdline),
		"--serial", host.Quote("unix,source.path=" + domain.ConsoleSocket(g.Name) + ",source.mode=bind,log.file=" + domain.ConsoleLog(g.Name) + ",log.append=on"),
	}, options...)
	// From 4.0 on it refuses to guess what the guest runs, unless it is told that nobody minds.
	if !strings.HasPrefix(t.Sh("virt-install --version"), "3.") {
		all = append(all, "--osinfo detect=off,require=off")
	}
	return t.Sh(virtInstEnv + strings.Join(all, " "))
}

// Installed has virt-install make a guest, and returns it once libvirt knows it.
func (t *T) Installed(options ...string) *Domain {
	g := t.NewGuest()
	t.KeepText("virt-install.txt", t.VirtInstall(g, options...))
	return t.Adopt(g)
}

// Adopt is the domain of a guest that somebody else made. It is gone when the check is over.
func (t *T) Adopt(g domain.Guest) *Domain {
	t.forget(g.Name)
	d := t.Connection().Lookup(g.Name)
	d.Token = g.Token
	return d
}

// VirtXML has virt-xml change the domain.
func (d *Domain) VirtXML(options string) {
	d.t.Sh(virtInstEnv + "virt-xml --connect " + d.t.URI() + " " + d.Name + " " + options)
}

// Clone has virt-clone copy the domain, which is off, under another name, and gives the copy
// a serial port of its own to answer at.
func (d *Domain) Clone(name string) *Domain {
	d.t.Sh(virtInstEnv + "virt-clone --connect " + d.t.URI() + " --original " + d.Name + " --name " + name + " --auto-clone")
	copied := d.t.Adopt(domain.Guest{Name: name, Token: d.Token})
	copied.VirtXML("--edit --serial source.path=" + domain.ConsoleSocket(name) + ",log.file=" + domain.ConsoleLog(name))
	return copied
}
