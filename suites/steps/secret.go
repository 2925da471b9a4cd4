package steps

import (
	"libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"
)

// Secret is a secret of the cell.
type Secret struct {
	t *T
	// Raw is the binding's, for calls that are to be refused.
	Raw  *libvirt.Secret
	UUID string
}

// DefineSecret defines a secret. It is gone when the check is over.
func (t *T) DefineSecret(d libvirtxml.Secret) *Secret {
	xml, conn := t.Marshal(&d), t.Connection().Raw
	s := t.secret("define secret", func() (*libvirt.Secret, error) { return conn.SecretDefineXML(xml, 0) })
	t.Cleanup(func() {
		t.Virsh("secret-undefine " + s.UUID)
		t.Refuses("look up the secret of a check that is over", libvirt.ERR_NO_SECRET, s.lookUp)
	})
	return s
}

// Secret is the secret with a UUID.
func (c *Connection) Secret(uuid string) *Secret {
	return c.t.secret("look secret up", func() (*libvirt.Secret, error) { return c.Raw.LookupSecretByUUIDString(uuid) })
}

func (t *T) secret(op string, get func() (*libvirt.Secret, error)) *Secret {
	s := &Secret{t: t, Raw: Get(t, op, get)}
	t.Cleanup(func() { _ = s.Raw.Free() })
	s.UUID = Get(t, "ask for UUID of secret", s.Raw.GetUUIDString)
	return s
}

// lookUp looks the secret up by its UUID.
func (s *Secret) lookUp() error {
	found, err := s.t.Connection().Raw.LookupSecretByUUIDString(s.UUID)
	if err == nil {
		_ = found.Free()
	}
	return err
}

// ExpectGone asserts that libvirt does not know the secret.
func (s *Secret) ExpectGone() {
	s.t.Refuses("look up secret that is gone", libvirt.ERR_NO_SECRET, s.lookUp)
}

// Set gives the secret a value.
func (s *Secret) Set(value string) {
	s.t.Do("set value of secret", func() error { return s.Raw.SetValue([]byte(value), 0) })
}

// Value is the secret's.
func (s *Secret) Value() string {
	return string(Get(s.t, "ask for value of secret", func() ([]byte, error) { return s.Raw.GetValue(0) }))
}

// Undefine removes the secret.
func (s *Secret) Undefine() { s.t.Do("undefine secret", s.Raw.Undefine) }
