package xen

import (
	"net/netip"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// A guest that begins with a qcow2 disk has an emulator that serves it and those that
// come later. Of one that came to a guest without, xl says that it went well, and there
// is no disk: the guest is asked, and not xl.
var _ = check.Register("IX-BLK", check.Spec{
	Asserts:  "A guest reads its qcow2 disk, gets another one and a block device of dom0, writes to both, and loses them again",
	Requires: stack,
	Depends:  depends,
	Control:  ignores("block-attach"),
}, func(t *steps.T) {
	g := t.XlGuest(domain.XL{"disk": []string{"format=qcow2,vdev=xvda,access=rw,target=" + t.QCOW2("first", "first")}})
	t.Expect(g.ReadAt("xvda", 0, 5)).To(Equal("first"), "start of the disk that the guest began with")
	raw, second := t.DiskImage("raw", steps.SharedDiskBytes), t.QCOW2("second", "second")
	t.Sh("printf device | dd conv=notrunc status=none of=" + raw)
	loop := t.Sh("losetup -f --show " + raw)
	t.Cleanup(func() { t.Sh("losetup -d " + loop) })
	for _, disk := range []struct{ name, spec, holds, image string }{
		{"xvdb", "format=qcow2,vdev=xvdb,access=rw,target=" + second, "second", second},
		{"xvdc", "phy:" + loop + ",xvdc,w", "device", raw},
	} {
		t.Xl("block-attach " + g.Name + " " + disk.spec)
		g.WaitDiskNamed(disk.name, true)
		t.Expect(g.ReadAt(disk.name, 0, len(disk.holds))).To(Equal(disk.holds), "start of "+disk.name)
		g.WriteAt(disk.name, 4096, "written to "+disk.name)
		t.Xl("block-detach " + g.Name + " " + disk.name)
		g.WaitDiskNamed(disk.name, false)
		t.Expect(t.TextAt(disk.image, 4096, 15)).To(Equal("written to "+disk.name), "what the image of "+disk.name+" holds")
	}
	g.ExpectSameBoot(g.Tick())
})

// The bridge that guests' cards are on, with the ends of its network.
const (
	bridge  = "vmxbr0"
	gateway = "192.168.166.1"
	leases  = "192.168.166.100,192.168.166.200"
)

// Of two cards on one network the first carries what goes out: it is taken away, so that
// the second must.
var _ = check.Register("IX-NET", check.Spec{
	Asserts:  "The card that a guest begins with and one that it gets are on the bridge, have leases and carry packets, and one that is taken away is gone",
	Requires: stack,
	Depends:  depends,
	Control:  ignores("network-attach"),
}, func(t *steps.T) {
	const first, second = "00:16:3e:00:00:01", "00:16:3e:00:00:02"
	t.OwnBridge(bridge, gateway, "--dhcp-range="+leases)
	ports := func(want string) {
		t.Until(resizeLimit, "ports of the bridge: "+want, func() bool { return t.Sh("ls /sys/class/net/"+bridge+"/brif | wc -l") == want })
	}
	g := t.XlGuest(domain.XL{"vif": []string{"mac=" + first + ",bridge=" + bridge}})
	meets(t, g, first)
	t.Xl("network-attach " + g.Name + " mac=" + second + " bridge=" + bridge)
	g.WaitNIC(second)
	ports("2")
	t.Xl("network-detach " + g.Name + " " + first)
	g.WaitNoNIC(first)
	meets(t, g, second)
	ports("1")
})

// meets asserts that the guest gets a lease for its card, and that it and dom0 reach
// each other.
func meets(t *steps.T, g *steps.Guest, mac string) {
	lease := g.DHCP(g.WaitNIC(mac).Name)
	t.Expect(lease.Router).To(Equal(netip.MustParseAddr(gateway)), "the way out that the lease names")
	g.Ping(lease.Router)
	g.ExpectGreets(lease.Address.Addr())
}
