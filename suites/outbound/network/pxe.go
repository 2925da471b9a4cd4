package network

import (
	"time"

	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// pxeLimit bounds how long a BIOS may take to boot from the network, at scale 1: its ROM waits for
// the link and asks for 10 s.
const pxeLimit = 2 * time.Minute

// The card's ROM is the emulator's, the lease and the file are dnsmasq's, and libvirt has them meet.
var _ = check.Register("O-NET-PXE", check.Spec{
	Asserts:  "A guest whose BIOS is to boot from its network boots the file that the network's server of files has",
	Requires: since("1.2.6"),
	Depends:  check.On(matrix.QEMU, matrix.Libvirt, "machine"),
	Hosts:    hosts,
	Control:  sabotage.Wrap("dnsmasq", "a dnsmasq that names another file", `case $1 in --conf-file=*) sed -i 's/^dhcp-boot=boot/dhcp-boot=toob/' "${1#*=}";; esac; exec $REAL "$@"`),
}, func(t *steps.T) {
	l, who, root, said := lan(0), t.NewGuest(), t.Scratch("tftp"), t.Scratch("serial")
	t.Sh("install -d -m 755 " + root)
	t.Put(root+"/boot", string(domain.BootSector("booted "+who.Token)))
	t.Sh("chmod 644 " + root + "/boot")
	t.StartNetwork(l.serving(root, "boot"))
	d := t.DefineXML(who, t.Marshal(t.Describe(who, domain.WithoutKernel("network"), l.nic(), domain.LoggedAt(said))))
	d.Start()
	t.Until(pxeLimit, "the guest boots from its network", func() bool { return t.Holds(said, "booted "+who.Token) })
	d.Destroy()
})
