package disks

import (
	"crypto/x509"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// The emulator shows the certificate of the folder that libvirt is configured with
// (nbd_tls_x509_cert_dir of qemu.conf), and the server one of its own.
var _ = check.Register("O-DISK-NBD-TLS", check.Spec{
	Asserts:  "A guest works on an encrypted export of an NBD server that it knows, a plugged one too, and gets none of an unknown server, or in clear",
	Requires: kvm("6.6"),
	Depends:  stack,
	Control:  sabotage.Wrap("qemu-nbd", "a server that encrypts nothing", `for a; do shift; case $a in --object|tls-creds-x509,*|--tls-creds=*) ;; *) set -- "$@" "$a";; esac; done; exec $REAL "$@"`),
}, func(t *steps.T) {
	ours, others := t.NewAuthority("ours"), t.NewAuthority("others")
	client, server, stranger := t.Scratch("client"), t.Scratch("server"), t.Scratch("stranger")
	ours.IssueToEmulators(client, "emulator", x509.ExtKeyUsageClientAuth)
	ours.IssueToEmulators(server, "127.0.0.1", x509.ExtKeyUsageServerAuth)
	others.IssueToEmulators(stranger, "127.0.0.1", x509.ExtKeyUsageServerAuth)
	t.Configure(t.Layout().LibvirtConfig+"/qemu.conf", "nbd_tls_x509_cert_dir = \""+client+"\"\n")
	known, later := t.ServeNBDByTLS("known", size, 10811, server), t.ServeNBDByTLS("later", size, 10812, server)
	unknown := t.ServeNBDByTLS("unknown", size, 10813, stranger)
	d, g := t.Started(known.Disk("vdb", domain.Encrypted), domain.WithRootPorts(6))
	works := func(dev string, n *steps.NBDServer) {
		seen := g.WaitDisk(dev, steps.PlugLimit)
		g.WriteAt(seen.Name, mib, word)
		t.Expect(n.Holds(mib, word)).To(BeTrue(), "the image behind disk %s has what the guest wrote", dev)
	}
	works("vdb", known)
	d.Attach(later.NewDisk("vdc", domain.Encrypted))
	works("vdc", later)
	file := t.Scratch("saved")
	mark := g.Mark()
	d.Save(file)
	t.Connection().Restore(file)
	g = d.Guest()
	g.ExpectGoesOn(mark)
	works("vdb", known)
	for what, disk := range map[string]domain.Option{
		"an unknown server": unknown.Disk("vdb", domain.Encrypted), "a server that is to be spoken to in clear": known.Disk("vdb"),
	} {
		d := t.Define(disk)
		t.Expect(t.Try("start a guest on "+what, d.Raw.Create)).To(HaveOccurred(), "start of a guest on a disk of %s", what)
		t.Expect(t.HasProcess(d.Name)).To(BeFalse(), "an emulator runs the guest of %s", what)
	}
})
