// Package rpmrepo makes signed RPM packages and repositories of them: toy ones for
// tests, and the test distribution.
package rpmrepo

import (
	"bytes"
	"crypto"
	"fmt"
	"os"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// Key signs packages and indexes.
type Key struct {
	entity *openpgp.Entity
	config packet.Config
}

// NewKey makes a key of a name.
func NewKey(name string) (*Key, error) {
	k := &Key{config: packet.Config{
		// rpm up to EL7 knows no other algorithm.
		Algorithm: packet.PubKeyAlgoRSA, RSABits: 2048, DefaultHash: crypto.SHA256,
	}}
	var err error
	if k.entity, err = openpgp.NewEntity(name, "", "", &k.config); err != nil {
		return nil, fmt.Errorf("cannot make key %s: %w", name, err)
	}
	return k, nil
}

// ReadKey reads a secret key without a passphrase, as gpg exports it. It signs as of
// the second after it was made, so that one that has expired still can.
func ReadKey(armored []byte) (*Key, error) {
	keys, err := openpgp.ReadArmoredKeyRing(bytes.NewReader(armored))
	if err != nil || len(keys) != 1 {
		return nil, fmt.Errorf("cannot read key: found %d, %w", len(keys), err)
	}
	made := keys[0].PrimaryKey.CreationTime.Add(time.Second)
	return &Key{entity: keys[0], config: packet.Config{DefaultHash: crypto.SHA256, Time: func() time.Time { return made }}}, nil
}

// Fingerprint names the key.
func (k *Key) Fingerprint() string { return fmt.Sprintf("%X", k.entity.PrimaryKey.Fingerprint) }

// WritePublic writes a keyring of the keys.
func WritePublic(path string, keys ...*Key) error {
	var text bytes.Buffer
	// One block for each: rpm reads no second key of a block.
	for _, k := range keys {
		w, err := armor.Encode(&text, openpgp.PublicKeyType, nil)
		if err != nil {
			return err
		}
		if err := k.entity.Serialize(w); err != nil {
			return err
		}
		if err := w.Close(); err != nil {
			return err
		}
		text.WriteByte('\n')
	}
	return os.WriteFile(path, text.Bytes(), 0o644)
}

// sign is a signature as packages hold it.
func (k *Key) sign(text []byte) ([]byte, error) {
	var sig bytes.Buffer
	err := openpgp.DetachSign(&sig, k.entity, bytes.NewReader(text), &k.config)
	return sig.Bytes(), err
}

// armored is a signature as it lies beside an index.
func (k *Key) armored(text []byte) ([]byte, error) {
	var sig bytes.Buffer
	err := openpgp.ArmoredDetachSign(&sig, k.entity, bytes.NewReader(text), &k.config)
	return sig.Bytes(), err
}
