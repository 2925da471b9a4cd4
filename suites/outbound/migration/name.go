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

// forGood moves a guest with its definition.
const forGood = live | libvirt.MIGRATE_PERSIST_DEST | libvirt.MIGRATE_UNDEFINE_SOURCE

// The socket of the guest's agent is where libvirt puts it, by the domain's name. That of its
// console is where the XML says.
var _ = check.Register("O-MIG-NAME", check.Spec{
	Asserts:  "A guest migrates under another name, is logged, saved and started by that, comes back under the first, and stays where its new name is taken",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "1.1.0")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU),
	Hosts:    matrix.Hosts{Count: 2},
	Control: sabotage.CommandOn("a target that has no logs by the new name", func(t *steps.T) string {
		t.On(1).Sh("(while :; do rm -f /var/log/libvirt/qemu/*-moved.log; sleep 0.1; done) >/dev/null 2>&1 &")
		return "true"
	}),
}, func(t *steps.T) {
	there := t.On(1)
	d, g := t.Started(domain.WithAgent)
	mark, first, uuid := g.Mark(), d.Name, d.UUID()
	other := there.Define()
	t.Refuses("migrate to a name that another domain has", libvirt.ERR_OPERATION_FAILED, func() error {
		return d.TryMigrateTo(there, forGood, steps.Named(other.Name))
	})
	g.ExpectStayed(there, mark)
	t.Expect(other.UUID()).NotTo(Equal(uuid), "the domain that has the name")

	name := first + "-moved"
	moved := d.MigrateTo(there, forGood, steps.Named(name))
	g = moved.Guest()
	g.ExpectGoesOn(mark)
	d.WaitGone()
	t.Expect(there.VirshSays("domname " + uuid)).To(Equal(name))
	t.Refuses("look the guest up by its first name", libvirt.ERR_NO_DOMAIN, func() error {
		_, err := there.Connection().Raw.LookupDomainByName(first)
		return err
	})
	t.Expect(there.Exists(there.Layout().LibvirtConfig+"/qemu/"+name+".xml")).To(BeTrue(), "definition by the new name")
	t.Expect(there.Holds("/var/log/libvirt/qemu/"+name+".log", "guest="+name+",")).To(BeTrue(), "the command line in the log of the new name")
	moved.WaitAgent()
	moved.ManagedSave()
	moved.Start()
	moved.Guest().ExpectGoesOn(mark)
	moved.Destroy()
	moved.Start()
	g = moved.Guest()

	mark = g.Mark()
	back := moved.VirshMigrateAs(t, first, "--persistent --undefinesource")
	back.Guest().ExpectGoesOn(mark)
	moved.ExpectNotOn(there)
	t.Expect(back.UUID()).To(Equal(uuid), "UUID of the guest that came back")
	t.Expect(back.Persistent()).To(BeTrue(), "the guest that came back has a definition")
})
