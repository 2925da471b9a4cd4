package migration

import (
	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

var _ = check.Register("O-MIG-OFF", check.Spec{
	Asserts:  "The definition of a domain that is off moves whole to another host, stays here unless it is to go, and starts there",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "1.1.1")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU),
	Hosts:    matrix.Hosts{Count: 2},
	Control: sabotage.CommandOn("a target that changes what comes in", func(t *steps.T) string {
		t.On(1).InstallHook("qemu", `case "$2" in migrate) sed "s/<on_crash>destroy/<on_crash>restart/";; *) cat >/dev/null;; esac`)
		return "true"
	}),
}, func(t *steps.T) {
	d, there := t.Define(), t.On(1)
	t.Refuses("move a definition that does not persist", libvirt.ERR_OPERATION_INVALID, func() error {
		return d.TryMigrateTo(there, libvirt.MIGRATE_OFFLINE)
	})
	d.ExpectNotOn(there)

	before := d.Dump(libvirt.DOMAIN_XML_INACTIVE)
	moved := d.MoveOffline(there, libvirt.MIGRATE_PEER2PEER)
	t.Expect(moved.Dump(libvirt.DOMAIN_XML_INACTIVE)).To(Equal(before), "the definition on the other host")
	t.Expect(d.Dump(libvirt.DOMAIN_XML_INACTIVE)).To(Equal(before), "the definition here")
	t.Expect(moved.Active()).To(BeFalse(), "it runs nowhere")

	d.MoveOffline(there, libvirt.MIGRATE_UNDEFINE_SOURCE)
	d.WaitGone()
	moved.Start()
	moved.Guest()
})
