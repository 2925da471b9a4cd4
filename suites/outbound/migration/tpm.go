package migration

import (
	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// secret is what a guest has its TPM remember.
const secret = "kept by the TPM"

// Debian has no emulator of TPMs before the release of libvirt 9.0.
var _ = check.Register("O-MIG-TPM", check.Spec{
	Asserts:  "A guest's emulated TPM migrates with its registers and its lasting memory, leaves no state behind, and stays whole when that fails",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "9.0")},
	Depends:  check.On(matrix.Linux, matrix.QEMU, matrix.Libvirt, "machine", "firmware", "accel"),
	Hosts:    matrix.Hosts{Count: 2},
	Control: sabotage.CommandOn("a TPM of the target that forgets when it starts", func(t *steps.T) string {
		t.On(1).Wrap("swtpm", sabotage.ForgetfulTPM)
		return "true"
	}),
}, func(t *steps.T) {
	there := t.On(1)
	d, g := t.Started(domain.WithTPM("tpm-crb"))
	mark, state := g.Mark(), d.TPMState()
	g.StoreInTPM(secret)
	g.MeasureTPM()
	expect := remembers(t, g)

	fails := func(m *steps.Migrating, codes ...libvirt.ErrorNumber) {
		m.FailsWith(codes...)
		g.ExpectStayed(there, mark)
		expect(g, "here, after a migration that failed")
		t.Expect(there.Exists(state)).To(BeFalse(), "state of a TPM that did not come")
	}
	m := d.BeginMigration(there, live, steps.Slowly)
	m.WaitSent(0)
	t.Do("call the job off", d.Raw.AbortJob)
	fails(m, libvirt.ERR_OPERATION_ABORTED)
	m = d.BeginMigration(there, live, steps.Slowly)
	m.WaitSent(0)
	m.There(there).Kill()
	fails(m, libvirt.ERR_OPERATION_FAILED, libvirt.ERR_INTERNAL_ERROR)

	g = d.MigrateTo(there, live).Guest()
	g.ExpectGoesOn(mark)
	expect(g, "of a guest that moved")
	g.MeasureTPM() // which the state that the source still has does not know
	expect = remembers(t, g)
	d = g.Domain.MigrateTo(t, live)
	g = d.Guest()
	g.ExpectGoesOn(mark)
	expect(g, "of a guest that came back")
	t.Expect(there.Exists(state)).To(BeFalse(), "state of the TPM of a guest that only passed by")

	moved := d.MigrateTo(there, live|libvirt.MIGRATE_PERSIST_DEST|libvirt.MIGRATE_UNDEFINE_SOURCE)
	d.WaitGone()
	t.Expect(t.Exists(state)).To(BeFalse(), "state of the TPM of a domain that the source has forgotten")
	g = moved.Guest()
	g.ExpectGoesOn(mark)
	expect(g, "of a guest that moved for good")
	t.Expect(there.Sh("find "+state+" -type f -perm /o=rwx")).To(BeEmpty(), "files of the TPM that all may use")
	moved.Destroy()
	moved.Start()
	g = moved.Guest()
	t.Expect(g.StoredInTPM(len(secret))).To(Equal(secret), "lasting memory of the TPM at the next start there")
	moved.Destroy()
	moved.Undefine()
	t.Expect(there.Exists(state)).To(BeFalse(), "state of the TPM of a domain that is gone")
})

// remembers notes what the guest's TPM remembers, and returns what expects the same of it
// later.
func remembers(t *steps.T, g *steps.Guest) (expect func(g *steps.Guest, which string)) {
	measured := g.TPMMeasured()
	count, since := g.TPMStarts()
	return func(g *steps.Guest, which string) {
		t.Expect(g.TPMMeasured()).To(Equal(measured), "register of the TPM %s", which)
		t.Expect(g.StoredInTPM(len(secret))).To(Equal(secret), "lasting memory of the TPM %s", which)
		starts, clock := g.TPMStarts()
		t.Expect(starts).To(Equal(count), "starts that the TPM counts %s", which)
		t.Expect(clock).To(BeNumerically(">=", since), "ms on the clock of the TPM %s", which)
	}
}
