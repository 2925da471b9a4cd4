package secrets

import (
	"fmt"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirtxml"
)

const (
	usage = "O-LUKS"
	size  = 1 << 20
	// times a volume is made: each takes the emulator's tools two seconds, which is
	// how they find out how hard a key is to be guessed.
	times = 3
	word  = "written in clear"
	// passphrase has no NUL, which QEMU refuses in one (crypto/secret_common.c).
	passphrase = "opens it"
)

var _ = check.Register("O-LUKS", check.Spec{
	Asserts:  "Encrypted volumes are made again and again, a guest starts from one by its secret and by no other, and nothing in it is in clear",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "3.9.0")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU, "machine"),
	Control:  sabotage.Swallow("virSecretSetValue"),
}, func(t *steps.T) {
	secret, p := secretAndPool(t)
	var v *steps.Volume
	for n := range times {
		v = encrypt(t, p, fmt.Sprintf("volume-%d", n))
	}
	encrypted := func(d *libvirtxml.DomainDisk) {
		d.Source.Encryption = &libvirtxml.DomainDiskEncryption{Format: "luks", Secrets: []libvirtxml.DomainDiskSecret{{Type: "passphrase", Usage: usage}}}
	}
	d, g := t.Started(domain.WithDisk(v.Path, "raw", domain.At("vdb", "virtio"), domain.Serial("vdb"), encrypted))
	seen, _ := g.Disk("vdb")
	t.Expect(seen.Bytes).To(BeNumerically("==", size), "size of the disk that the guest sees")
	g.WriteAt(seen.Name, 0, word)
	d.Destroy()
	t.Expect(t.Run("grep -q '"+word+"' "+v.Path).OK()).To(BeFalse(), "the volume has in clear what the guest wrote")

	secret.Set("does not open it")
	t.Expect(t.Try("start domain with a wrong secret", d.Raw.Create)).To(HaveOccurred())
	t.Expect(t.HasProcess(d.Name)).To(BeFalse(), "an emulator is left of the failed start")
	secret.Set(passphrase)
	d.Start()
	g.WaitReady()
	t.Expect(g.ReadAt(seen.Name, 0, len(word))).To(Equal(word), "what the guest finds")
})

// secretAndPool are the secret by whose use volumes are encrypted, and where they are.
func secretAndPool(t *steps.T) (*steps.Secret, *steps.Pool) {
	secret := t.DefineSecret(libvirtxml.Secret{Usage: &libvirtxml.SecretUsage{Type: "volume", Volume: usage}})
	secret.Set(passphrase)
	p := t.DefinePool()
	p.Build()
	p.Start()
	return secret, p
}

// encrypt makes an encrypted volume.
func encrypt(t *steps.T, p *steps.Pool, name string) *steps.Volume {
	v := p.CreateFrom(fmt.Sprintf(`<volume><name>%s</name><capacity>%d</capacity><allocation>0</allocation><target><format type='raw'/>
		<encryption format='luks'><secret type='passphrase' usage='%s'/></encryption></target></volume>`, name, size, usage), nil)
	t.Expect(t.ImageInfo(v.Path).Format).To(Equal("luks"), "format of volume %s", name)
	return v
}

// Who names volumes by UUIDs has ten of sixteen that begin with a digit.
var _ = check.Register("O-LUKS-NAME", check.Spec{
	Asserts:  "An encrypted volume may have a name like any other one",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "3.9.0")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU),
	Control:  sabotage.Swallow("virSecretSetValue"),
}, func(t *steps.T) {
	_, p := secretAndPool(t)
	encrypt(t, p, "7f1c2a9e-0000-4000-8000-000000000001")
})
