package connection

import (
	"strings"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// nowhere is a UUID that nothing has.
const nowhere = "00000000-0000-4000-8000-00000000dead"

var _ = check.Register("O-ERR", check.Spec{
	Asserts:  "Each wrong request is refused with its own error code",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "5.6.0")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU, matrix.XenHyp),
	Control:  sabotage.ChangeCode("virNWFilterLookupByName", libvirt.ERR_INTERNAL_ERROR),
}, func(t *steps.T) {
	d := t.Define()
	refusesMissing(t, d)
	refusesWrongState(t, d)
	refusesBadXML(t)
	refusesDuplicates(t, d)
	// After so many errors the connection must be as good as before.
	t.Expect(t.Connection().Names()).To(ContainElement(d.Name))
})

// refusesMissing: each kind of object has a number of its own for not being
// there. Networks, pools, filters and secrets have drivers of their own, which
// serve the Xen connection as well (virRegisterConnectDriver).
func refusesMissing(t *steps.T, d *steps.Domain) {
	conn := t.Connection()
	for _, missing := range []struct {
		what   string
		code   libvirt.ErrorNumber
		lookUp func() error
	}{
		{"domain", libvirt.ERR_NO_DOMAIN, func() error { _, err := conn.Raw.LookupDomainByName("nosuch"); return err }},
		{"domain's UUID", libvirt.ERR_NO_DOMAIN, func() error { _, err := conn.Raw.LookupDomainByUUIDString(nowhere); return err }},
		{"domain's ID", libvirt.ERR_NO_DOMAIN, func() error { _, err := conn.Raw.LookupDomainById(65000); return err }},
		{"network", libvirt.ERR_NO_NETWORK, func() error { _, err := conn.Raw.LookupNetworkByName("nosuch"); return err }},
		{"storage pool", libvirt.ERR_NO_STORAGE_POOL, func() error { _, err := conn.Raw.LookupStoragePoolByName("nosuch"); return err }},
		{"storage volume", libvirt.ERR_NO_STORAGE_VOL, func() error { _, err := conn.Raw.LookupStorageVolByKey("/nosuch"); return err }},
		{"network filter", libvirt.ERR_NO_NWFILTER, func() error { _, err := conn.Raw.LookupNWFilterByName("nosuch"); return err }},
		{"secret", libvirt.ERR_NO_SECRET, func() error { _, err := conn.Raw.LookupSecretByUUIDString(nowhere); return err }},
		{"snapshot", t.OrNoSupport(libvirt.ERR_NO_DOMAIN_SNAPSHOT), func() error { _, err := d.Raw.SnapshotLookupByName("nosuch", 0); return err }},
		{"checkpoint", t.OrNoSupport(libvirt.ERR_NO_DOMAIN_CHECKPOINT), func() error { _, err := d.Raw.CheckpointLookupByName("nosuch", 0); return err }},
	} {
		t.Refuses("look up missing "+missing.what, missing.code, missing.lookUp)
	}
}

// refusesWrongState: what needs a running domain is invalid for one that is off.
func refusesWrongState(t *steps.T, d *steps.Domain) {
	file := t.Scratch("image")
	for _, op := range []struct {
		what string
		call func() error
	}{
		{"suspend", d.Raw.Suspend},
		{"resume", d.Raw.Resume},
		{"shut down", func() error { return d.Raw.ShutdownFlags(0) }},
		{"destroy", d.Raw.Destroy},
		{"save", func() error { return d.Raw.SaveFlags(file, "", 0) }},
		{"save for its next start", func() error { return d.Raw.ManagedSave(0) }},
	} {
		t.Refuses(op.what+" a domain that is off", libvirt.ERR_OPERATION_INVALID, op.call)
	}
	t.Expect(t.Exists(file)).To(BeFalse(), "an image of the domain that is off")
}

func refusesBadXML(t *steps.T) {
	conn := t.Connection()
	good := t.Marshal(t.Describe(t.NewGuest()))
	for _, bad := range []struct {
		what, xml string
		code      libvirt.ErrorNumber
	}{
		{"no XML", "nonsense", libvirt.ERR_XML_DETAIL},
		{"cut XML", good[:len(good)/2], libvirt.ERR_XML_DETAIL},
		{"another object", "<network><name>nosuch</name></network>", libvirt.ERR_XML_ERROR},
		{"no memory", strings.Replace(good, "memory", "memery", 2), libvirt.ERR_XML_ERROR},
		{"many processors", strings.Replace(good, "<vcpu>1<", "<vcpu>many<", 1), libvirt.ERR_XML_ERROR},
	} {
		// The parser's own errors carry its detail, the reader's are about what
		// the XML means (catchXMLError and virXMLParseHelper, virxml.c).
		t.Refuses("define a domain from "+bad.what, bad.code, func() error { return conn.TryDefine(bad.xml, 0) })
	}
	t.Refuses("define a domain with a flag that does not exist", libvirt.ERR_INVALID_ARG,
		func() error { return conn.TryDefine(good, 1<<30) })
}

// refusesDuplicates: a name or a UUID that another domain has is a failed
// operation; VIR_ERR_DOM_EXIST (28) is of drivers that are not here
// (virDomainObjListAddLocked).
func refusesDuplicates(t *steps.T, d *steps.Domain) {
	conn := t.Connection()
	mine := d.Dump(libvirt.DOMAIN_XML_INACTIVE)
	t.Refuses("define another domain with the same name", libvirt.ERR_OPERATION_FAILED,
		func() error { return conn.TryDefine(d.XML, 0) })
	t.Refuses("define another domain with the same UUID", libvirt.ERR_OPERATION_FAILED,
		func() error { return conn.TryDefine(strings.Replace(mine, "<name>", "<name>other-", 1), 0) })
	t.Expect(d.Dump(libvirt.DOMAIN_XML_INACTIVE)).To(Equal(mine), "the domain whose name and UUID were asked for")
}
