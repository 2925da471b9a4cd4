package steps

import (
	"crypto/x509"
	"testing"

	"github.com/virtmatrix/virtmatrix/internal/hosttest"
	"github.com/virtmatrix/virtmatrix/matrix"
)

func TestACertificateIsOfItsAuthorityAndAddressOnly(t *testing.T) {
	on(t, passes, func(t *T, _ *hosttest.Host) {
		ours, others := t.NewAuthority("ours"), t.NewAuthority("others")
		cert, _ := ours.certify("127.0.0.1", x509.ExtKeyUsageServerAuth)
		for _, c := range []struct {
			by      *Authority
			address string
			good    bool
		}{{ours, "127.0.0.1", true}, {ours, "127.0.0.2", false}, {others, "127.0.0.1", false}} {
			roots := x509.NewCertPool()
			roots.AddCert(c.by.cert)
			_, err := cert.Verify(x509.VerifyOptions{Roots: roots, DNSName: "[" + c.address + "]"})
			if (err == nil) != c.good {
				t.Fail(matrix.LayerHarness, "asked for %s: %v", c.address, err)
			}
		}
	})
}
