package connection

import (
	"crypto/x509"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/internal/agent"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// Each side must show a certificate of the authority that the other knows, and the
// server's must be of the address that was asked for.
var _ = check.Register("O-CONN-TLS", check.Spec{
	Asserts:  "A client on TLS is served when both sides know each other's authority, and refused otherwise",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "0.9.4")},
	Depends:  check.On(matrix.Libvirt),
	Control: sabotage.Wrap("virsh", "a virsh that trusts every server",
		`for a; do shift; case $a in *tls://*\?*) a="$a&no_verify=1";; esac; set -- "$@" "$a"; done; exec $REAL "$@"`),
}, func(t *steps.T) {
	ours, others := t.NewAuthority("ours"), t.NewAuthority("others")
	server, client, stranger := t.Scratch("server"), t.Scratch("client"), t.Scratch("stranger")
	ours.Issue(server, "127.0.0.1", x509.ExtKeyUsageServerAuth)
	ours.Issue(client, "client", x509.ExtKeyUsageClientAuth)
	others.Issue(stranger, "stranger", x509.ExtKeyUsageClientAuth)
	t.Listen("listen_tls = 1\nlisten_addr = \"0.0.0.0\"\nca_file = \"" + server + "/cacert.pem\"\n" +
		"cert_file = \"" + server + "/servercert.pem\"\nkey_file = \"" + server + "/serverkey.pem\"\n")

	serves(t, remote(t, "tls", "127.0.0.1", "pkipath="+client))
	refused := func(who, uri string) {
		t.Expect(virshOn(t, uri, "list").Code).To(Equal(1), "status of virsh for %s", who)
	}
	refused("a server of another address", remote(t, "tls", "127.0.0.2", "pkipath="+client))
	refused("a server of an unknown authority", remote(t, "tls", "127.0.0.1", "pkipath="+stranger))
	refused("a client of an unknown authority", remote(t, "tls", "127.0.0.1", "no_verify=1&pkipath="+stranger))
	serves(t, remote(t, "tls", "127.0.0.2", "no_verify=1&pkipath="+client))
})

// remote is the URI of the cell's driver by a transport.
func remote(t *steps.T, transport, address, params string) string {
	driver := "qemu"
	if t.Kind() == matrix.Xen {
		driver = "xen"
	}
	return driver + "+" + transport + "://" + address + "/system?" + params
}

// virshOn runs the cell's virsh with a URI of its own, says does so and expects success.
func virshOn(t *steps.T, uri, args string) agent.Result {
	return t.Run("timeout 60 virsh -q -c " + host.Quote(uri) + " " + args)
}

func says(t *steps.T, uri, args string) string {
	return t.Sh("timeout 60 virsh -q -c " + host.Quote(uri) + " " + args)
}
