package consumers

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"strconv"
	"strings"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/internal/layout"
	"github.com/virtmatrix/virtmatrix/internal/nocloud"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"golang.org/x/crypto/ssh"
)

// cloudInit registers a check of a machine of the release that has its cloud-init.
func cloudInit(id, asserts string, control *sabotage.Control, body func(*steps.T)) {
	check.Register(id, check.Spec{
		Asserts:  asserts,
		Requires: above(),
		Depends:  check.On(matrix.QEMU, matrix.Libvirt),
		Hosts:    matrix.Hosts{Machine: matrix.ImageRef{Role: fixtures.Cloud}, MemoryMB: 2048},
		Control:  control,
	}, body)
}

func init() {
	cloudInit("C-CI-SEED", "A machine that boots with a seed is what the seed says: name, user, key, no password, address, a root that fills its disk; and says so itself",
		sabotage.Spoil("a seed with another boot's nonce", "sed -i 's/@"+noncePrefix+"/@VMOTHER-/g' "+seeds), seeded)
	cloudInit("C-CI-AGAIN", "A second boot with the same instance-id does nothing of an instance's first boot again, and one with another does all of it",
		sabotage.Spoil("an instance-id that is never another", "sed -i 's/id-of-another/id-of-the-one/' "+seeds), again)
	cloudInit("C-CI-NOMETA", "A seed without meta-data is not taken, and the machine boots as one without a data source",
		sabotage.Spoil("a seed that has meta-data after all", "sed -i 's/meta-dat0/meta-data/g' "+seeds), noMeta)
	cloudInit("C-CI-POLICY", "Without a seed cloud-init runs where ds-identify is to take what may be there (maybe=all), and not where it is not to (maybe=none)",
		sabotage.Wrap(layout.Emulator, "an emulator that tells kernels another policy", `exec $REAL "${@//maybe=none/maybe=all}"`), policies)
}

const (
	noncePrefix = "VMNONCE-"
	// seeds are the volumes of a check, in L1.
	seeds        = host.ScratchDir + "/*-seed-*"
	machineBytes = 2 << 30
	machineName  = "vm-cloud"
	machineUser  = "vmuser"
)

// newSeed describes a seed of an instance, with a nonce and a key of its own.
func newSeed(t *steps.T, instance string) nocloud.Seed {
	raw := make([]byte, 8)
	_, _ = rand.Read(raw)
	public, _, _ := ed25519.GenerateKey(rand.Reader)
	key, err := ssh.NewPublicKey(public)
	t.Expect(err).NotTo(HaveOccurred(), "a key of our own")
	return nocloud.Seed{
		Nonce: noncePrefix + hex.EncodeToString(raw), Instance: instance, Hostname: machineName,
		User: machineUser, Key: strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))),
	}
}

func seeded(t *steps.T) {
	s := newSeed(t, "id-of-the-one")
	s.MAC, s.Address = "52:54:00:19:04:01", "192.0.2.10/24"
	b := t.NewMachine(machineBytes).Seeded(s, nocloud.ISO9660)
	expectReport(t, b)
	t.Expect(b.Fact("addresses")).To(ContainSubstring(" "+s.Address+" "), "addresses of the machine")
	expectUser(t, b, s)
	t.Expect(b.Fact("hostname")).To(Equal(machineName), "name of the machine")
	t.Expect(b.Fact("instance")).To(Equal(s.Instance), "instance that the machine is")
	t.Expect(b.Lines("ran")).To(HaveLen(1), "how often runcmd ran")
	t.Expect(b.Lines("failed")).To(BeEmpty(), "units that failed")
	size, _, _ := strings.Cut(b.Fact("root"), " ")
	bytes, _ := strconv.ParseInt(size, 10, 64)
	t.Expect(bytes).To(BeNumerically(">", machineBytes*9/10), "size of the root file system on a disk of %d bytes", int64(machineBytes))
}

// expectReport asserts that the seed was applied, and that nothing went wrong in doing so.
func expectReport(t *steps.T, b steps.Boot) {
	t.Expect(b.Whole).To(BeTrue(), "the machine reports with the seed's nonce; %s", b)
	t.Expect(b.Source).To(Equal("DataSourceNoCloud"), "data source, as the console says")
	t.Expect(b.Fact("version")).To(ContainSubstring(b.Version), "version of cloud-init")
	said, err := b.Result()
	t.Expect(err).NotTo(HaveOccurred(), "what cloud-init says of its run")
	t.Expect(said.V1.Errors).To(BeEmpty(), "errors of cloud-init")
	t.Expect(said.V1.Datasource).To(HavePrefix("DataSourceNoCloud"), "data source, as result.json says")
	t.Note("cloud-init %s: %s", b.Version, said.V1.Datasource)
}

func expectUser(t *steps.T, b steps.Boot, s nocloud.Seed) {
	file := "/home/" + machineUser + "/.ssh/authorized_keys"
	t.Expect(b.Lines("keys")).To(ContainElements("600 "+machineUser+" "+file, s.Key), "keys that log in")
	t.Expect(b.Lines("passwords")).To(BeEmpty(), "accounts whose password is not locked")
}

func again(t *steps.T) {
	m := t.NewMachine(machineBytes)
	first := m.Seeded(newSeed(t, "id-of-the-one"), nocloud.VFAT)
	expectReport(t, first)
	t.Expect(first.Lines("host-keys")).NotTo(BeEmpty(), "host keys of the first boot")

	same := m.Seeded(newSeed(t, "id-of-the-one"), nocloud.ISO9660)
	expectReport(t, same)
	t.Expect(same.Lines("ran")).To(HaveLen(1), "how often runcmd ran by the second boot of the instance")
	t.Expect(same.Lines("host-keys")).To(Equal(first.Lines("host-keys")), "host keys at the second boot of the instance")

	s := newSeed(t, "id-of-another")
	other := m.Seeded(s, nocloud.ISO9660)
	expectReport(t, other)
	expectUser(t, other, s)
	t.Expect(other.Lines("ran")).To(HaveLen(2), "how often runcmd ran once the machine is another instance")
	for _, key := range first.Lines("host-keys") {
		t.Expect(other.Lines("host-keys")).NotTo(ContainElement(key), "host keys of another instance")
	}
}

func noMeta(t *steps.T) {
	s := newSeed(t, "id-of-the-one")
	files := s.Files()
	files["meta-dat0"] = files[nocloud.MetaData]
	delete(files, nocloud.MetaData)
	b := t.NewMachine(machineBytes).SeededBy(s.Nonce, nocloud.ISO9660, files)
	t.Expect(b.Begun).To(BeFalse(), "the machine does what the seed without meta-data says")
	t.Expect(b.Source).To(Equal("DataSourceNone"), "data source of a machine whose seed does not count")
}

// policies gives ds-identify something that may be there: where its ID need not be exact,
// any machine may be one of EC2 (ds-identify, dscheck_Ec2).
func policies(t *steps.T) {
	const maybe = "ci.datasource.ec2.strict_id=false cc: datasource: {Ec2: {max_wait: 0}} end_cc " // nobody answers for it
	none := t.NewMachine(machineBytes).Unseeded(maybe + "ci.di.policy=search,found=all,maybe=none,notfound=disabled")
	t.Expect(none.Version).To(BeEmpty(), "cloud-init that ran with maybe=none")
	all := t.NewMachine(machineBytes).Unseeded(maybe + "ci.di.policy=search,found=all,maybe=all,notfound=disabled")
	t.Expect(all.Source).NotTo(BeEmpty(), "data source with maybe=all")
	own := t.NewMachine(machineBytes).Unseeded(maybe)
	t.Note("without a policy: %s", own)
}
