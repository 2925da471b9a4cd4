// Package secrets holds the checks of secrets and of what they open.
package secrets

import (
	"encoding/base64"
	"syscall"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"
)

const value = "opens \x00 it"

var _ = check.Register("O-SEC", check.Spec{
	Asserts:  "A secret keeps its value over a restart of the daemon, a private one tells it to nobody, and an ephemeral one is gone",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "3.0.0")},
	Depends:  check.On(matrix.Libvirt),
	Control:  sabotage.Swallow("virSecretSetValue"),
}, func(t *steps.T) {
	files := t.Layout().LibvirtConfig + "/secrets"
	kept := t.DefineSecret(libvirtxml.Secret{Usage: &libvirtxml.SecretUsage{Type: "volume", Volume: "/O-SEC"}})
	private := t.DefineSecret(libvirtxml.Secret{Private: "yes", Usage: &libvirtxml.SecretUsage{Type: "ceph", Name: "O-SEC"}})
	ephemeral := t.DefineSecret(libvirtxml.Secret{Ephemeral: "yes", Usage: &libvirtxml.SecretUsage{Type: "iscsi", Target: "O-SEC"}})
	get := func(s *steps.Secret) func() error { return func() error { _, err := s.Raw.GetValue(0); return err } }
	t.Refuses("ask for a value that was never set", libvirt.ERR_NO_SECRET, get(kept))
	for _, s := range []*steps.Secret{kept, private, ephemeral} {
		s.Set(value)
	}
	tells(t, kept)
	t.Expect(ephemeral.Value()).To(Equal(value), "value of the ephemeral secret")
	t.Refuses("ask for the value of a private secret", libvirt.ERR_INVALID_SECRET, get(private))
	t.Refuses("ask for a value as a reader", libvirt.ERR_OPERATION_DENIED, get(t.ReaderSocket().Secret(kept.UUID)))
	t.Refuses("define another secret for the same use", libvirt.ERR_INTERNAL_ERROR, func() error {
		_, err := t.Connection().Raw.SecretDefineXML("<secret><usage type='volume'><volume>/O-SEC</volume></usage></secret>", 0)
		return err
	})
	t.Expect(t.Images(files)).NotTo(BeEmpty(), "files of secrets")
	t.Expect(t.Images(files).OpenToOthers()).To(BeEmpty(), "files of secrets that others may read")
	t.Expect(t.Sh("ls "+files)).NotTo(ContainSubstring(ephemeral.UUID), "files of secrets")

	t.RestartLibvirt(syscall.SIGTERM)
	ephemeral.ExpectGone()
	t.Refuses("ask for the value of a private secret", libvirt.ERR_INVALID_SECRET, get(t.Connection().Secret(private.UUID)))
	again := t.Connection().Secret(kept.UUID)
	tells(t, again)
	again.Undefine()
	again.ExpectGone()
	t.Expect(t.Sh("ls "+files)).NotTo(ContainSubstring(kept.UUID), "files of secrets")
})

// tells asserts that the secret has its value, and is found by what it is for.
func tells(t *steps.T, s *steps.Secret) {
	conn := t.Connection().Raw
	t.Expect(s.Value()).To(Equal(value), "value of the secret")
	t.Expect(t.VirshSays("secret-get-value " + s.UUID)).To(Equal(base64.StdEncoding.EncodeToString([]byte(value))))
	found := steps.Get(t, "look secret up by its use", func() (*libvirt.Secret, error) {
		return conn.LookupSecretByUsage(libvirt.SECRET_USAGE_TYPE_VOLUME, "/O-SEC")
	})
	t.Cleanup(func() { _ = found.Free() })
	t.Expect(steps.Get(t, "ask for UUID of secret", found.GetUUIDString)).To(Equal(s.UUID))
}
