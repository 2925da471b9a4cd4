package steps

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/host"
)

// Authority signs certificates.
type Authority struct {
	t    *T
	key  *rsa.PrivateKey
	cert *x509.Certificate
}

// NewAuthority makes an authority of its own name.
func (t *T) NewAuthority(name string) *Authority {
	a := &Authority{t: t, key: t.newKey()}
	a.cert = t.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, nil, a.key, a.key)
	return a
}

// Issue puts an authority's certificate, and one of a host or user that it signs, into a
// folder of L1 under the names that libvirt's clients look for in a folder of a user's
// own (docs/kbase/tlscerts.rst). A host's has its address.
func (a *Authority) Issue(folder, name string, usage x509.ExtKeyUsage) {
	cert, key := a.certify(name, usage)
	whose := map[x509.ExtKeyUsage]string{x509.ExtKeyUsageServerAuth: "server", x509.ExtKeyUsageClientAuth: "client"}[usage]
	a.t.Sh("mkdir -p " + host.Quote(folder))
	for file, block := range map[string]pem.Block{
		"cacert.pem":       {Type: "CERTIFICATE", Bytes: a.cert.Raw},
		whose + "cert.pem": {Type: "CERTIFICATE", Bytes: cert.Raw},
		whose + "key.pem":  {Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)},
	} {
		a.t.Put(folder+"/"+file, string(pem.EncodeToMemory(&block)))
	}
}

// On is the authority as it signs for another host.
func (a *Authority) On(t *T) *Authority { return &Authority{t, a.key, a.cert} }

// IssueToEmulators is Issue to a folder that emulators look for certificates in: QEMU's names
// for them have a dash more (docs/system/tls.rst).
func (a *Authority) IssueToEmulators(folder, name string, usage x509.ExtKeyUsage) {
	a.Issue(folder, name, usage)
	a.t.Sh("cd " + host.Quote(folder) + ` && chmod a+r *.pem && for f in $(ls | grep -v -); do mv $f $(echo $f | sed -E 's/(cert|key)\.pem/-&/'); done`)
}

// AddTo has the emulators of a folder trust the authority, too.
func (a *Authority) AddTo(folder string) {
	file := host.Quote(folder + "/ca-cert.pem")
	a.t.Sh("printf %s " + host.Quote(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw}))) + " >> " + file)
}

func (a *Authority) certify(name string, usage x509.ExtKeyUsage) (*x509.Certificate, *rsa.PrivateKey) {
	key := a.t.newKey()
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		ExtKeyUsage: []x509.ExtKeyUsage{usage}, BasicConstraintsValid: true,
	}
	if address := net.ParseIP(name); address != nil {
		template.IPAddresses = []net.IP{address}
	}
	return a.t.sign(template, a.cert, key, a.key), key
}

func (t *T) newKey() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	t.must(err, "make a key")
	return key
}

// sign signs a certificate by its parent, or by itself. It has been valid for as long as
// the clock of a restored host may be behind.
func (t *T) sign(template, parent *x509.Certificate, key, by *rsa.PrivateKey) *x509.Certificate {
	if parent == nil {
		parent = template
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	t.must(err, "number a certificate")
	template.SerialNumber = serial
	template.NotBefore, template.NotAfter = time.Now().AddDate(-20, 0, 0), time.Now().AddDate(5, 0, 0)
	raw, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, by)
	t.must(err, "sign a certificate")
	cert, err := x509.ParseCertificate(raw)
	t.must(err, "read a certificate")
	return cert
}
