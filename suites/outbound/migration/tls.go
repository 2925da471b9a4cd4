package migration

import (
	"crypto/x509"
	"syscall"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// emulatorCertificates is where emulators have certificates of hosts (default_tls_x509_cert_dir of qemu.conf).
const emulatorCertificates = "/etc/pki/qemu"

var _ = check.Register("O-MIG-TLS", check.Spec{
	Asserts:  "A guest migrates encrypted, there and back, and stays where either host does not know the other's authority, or has no certificate",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "6.0.0"), matrix.Since(matrix.QEMU, "5.2")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU),
	Hosts:    matrix.Hosts{Count: 2},
	Control: sabotage.CommandOn("a target that verifies nobody", func(t *steps.T) string {
		target := t.On(1)
		target.Sh("echo migrate_tls_x509_verify = 0 >>" + target.Layout().LibvirtConfig + "/qemu.conf")
		target.RestartLibvirt(syscall.SIGTERM)
		return "true"
	}),
}, func(t *steps.T) {
	there := t.On(1)
	ours, others := t.NewAuthority("ours"), t.NewAuthority("others")
	d, g := t.Started()
	mark := g.Mark()
	stays := func(why string) {
		err := d.TryMigrateTo(there, live|libvirt.MIGRATE_TLS, named(there))
		t.Expect(err).To(HaveOccurred(), "an encrypted migration where %s", why)
		t.Note("where %s: %s", why, steps.Text(err))
		g.ExpectStayed(there, mark)
	}
	stays("neither host has a certificate")
	certify(t, ours)
	certify(there, others)
	stays("both hosts have authorities of their own")
	certify(there, ours)
	for _, how := range []libvirt.DomainMigrateFlags{0, libvirt.MIGRATE_PARALLEL} {
		d = d.MigrateTo(there, live|how|libvirt.MIGRATE_TLS, named(there))
		d.Guest().ExpectGoesOn(mark)
		d = d.MigrateTo(t, live|how|libvirt.MIGRATE_TLS, named(t))
		g = d.Guest()
		g.ExpectGoesOn(mark)
	}
	others.IssueToEmulators(emulatorCertificates, "client", x509.ExtKeyUsageClientAuth)
	ours.AddTo(emulatorCertificates)
	stays("the target does not know the authority of the source")
})

// named has the source take the target for what its certificate says it is.
func named(target *steps.T) steps.MigrationOption {
	return func(p *libvirt.DomainMigrateParameters) {
		p.TLSDestinationSet, p.TLSDestination = true, target.Host().Address().Name
	}
}

// certify gives the emulators of a host certificates of an authority.
func certify(t *steps.T, a *steps.Authority) {
	t.RemoveAfter(emulatorCertificates)
	a.On(t).IssueToEmulators(emulatorCertificates, t.Host().Address().Name, x509.ExtKeyUsageServerAuth)
	a.On(t).IssueToEmulators(emulatorCertificates, "client", x509.ExtKeyUsageClientAuth)
}
