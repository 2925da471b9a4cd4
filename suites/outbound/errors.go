package outbound

import (
	"context"
	"strings"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/cell"
	"libvirt.org/go/libvirt"
)

// nowhere is a UUID that nothing has.
const nowhere = "00000000-0000-4000-8000-00000000dead"

func refusesWithCodes(ctx context.Context, t *cell.T) {
	d := t.Define(ctx)
	refusesMissing(ctx, t, d)
	refusesWrongState(ctx, t, d)
	refusesBadXML(ctx, t)
	refusesDuplicates(ctx, t, d)
	// After so many errors the connection must be as good as before.
	t.Expect(names(ctx, t, t.Connect(ctx))).To(ContainElement(d.Name))
}

// refusesMissing: each kind of object has a number of its own for not being
// there. Networks, pools, filters and secrets have drivers of their own, which
// serve the Xen connection as well (virRegisterConnectDriver).
func refusesMissing(ctx context.Context, t *cell.T, d *cell.Domain) {
	conn := t.Connect(ctx)
	for _, missing := range []struct {
		what   string
		code   libvirt.ErrorNumber
		lookUp func() error
	}{
		{"domain", libvirt.ERR_NO_DOMAIN, func() error { _, err := conn.LookupDomainByName("nosuch"); return err }},
		{"domain's UUID", libvirt.ERR_NO_DOMAIN, func() error { _, err := conn.LookupDomainByUUIDString(nowhere); return err }},
		{"domain's ID", libvirt.ERR_NO_DOMAIN, func() error { _, err := conn.LookupDomainById(65000); return err }},
		{"network", libvirt.ERR_NO_NETWORK, func() error { _, err := conn.LookupNetworkByName("nosuch"); return err }},
		{"storage pool", libvirt.ERR_NO_STORAGE_POOL, func() error { _, err := conn.LookupStoragePoolByName("nosuch"); return err }},
		{"storage volume", libvirt.ERR_NO_STORAGE_VOL, func() error { _, err := conn.LookupStorageVolByKey("/nosuch"); return err }},
		{"network filter", libvirt.ERR_NO_NWFILTER, func() error { _, err := conn.LookupNWFilterByName("nosuch"); return err }},
		{"secret", libvirt.ERR_NO_SECRET, func() error { _, err := conn.LookupSecretByUUIDString(nowhere); return err }},
		{"snapshot", orUnsupported(t, libvirt.ERR_NO_DOMAIN_SNAPSHOT), func() error { _, err := d.SnapshotLookupByName("nosuch", 0); return err }},
		{"checkpoint", orUnsupported(t, libvirt.ERR_NO_DOMAIN_CHECKPOINT), func() error { _, err := d.CheckpointLookupByName("nosuch", 0); return err }},
	} {
		t.Refuses(ctx, "look up missing "+missing.what, missing.code, missing.lookUp)
	}
}

// orUnsupported is the code on kvm, and on Xen that of a call that the libxl
// driver does not have (libxlHypervisorDriver).
func orUnsupported(t *cell.T, code libvirt.ErrorNumber) libvirt.ErrorNumber {
	if t.Kind() == matrix.Xen {
		return libvirt.ERR_NO_SUPPORT
	}
	return code
}

// refusesWrongState: what needs a running domain is invalid for one that is off.
func refusesWrongState(ctx context.Context, t *cell.T, d *cell.Domain) {
	file := t.Scratch("image")
	for _, op := range []struct {
		what string
		call func() error
	}{
		{"suspend", d.Suspend},
		{"resume", d.Resume},
		{"shut down", func() error { return d.ShutdownFlags(0) }},
		{"destroy", d.Destroy},
		{"save", func() error { return d.SaveFlags(file, "", 0) }},
		{"save for its next start", func() error { return d.ManagedSave(0) }},
	} {
		t.Refuses(ctx, op.what+" a domain that is off", libvirt.ERR_OPERATION_INVALID, op.call)
	}
	t.Expect(t.Run(ctx, "test -e "+file).OK()).To(BeFalse(), "an image of the domain that is off")
}

func refusesBadXML(ctx context.Context, t *cell.T) {
	conn := t.Connect(ctx)
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
		t.Refuses(ctx, "define a domain from "+bad.what, bad.code, func() error { return define(conn, bad.xml) })
	}
	t.Refuses(ctx, "define a domain with a flag that does not exist", libvirt.ERR_INVALID_ARG,
		func() error { _, err := conn.DomainDefineXMLFlags(good, 1<<30); return err })
}

// refusesDuplicates: a name or a UUID that another domain has is a failed
// operation; VIR_ERR_DOM_EXIST (28) is of drivers that are not here
// (virDomainObjListAddLocked).
func refusesDuplicates(ctx context.Context, t *cell.T, d *cell.Domain) {
	conn := t.Connect(ctx)
	mine := d.Dump(ctx, libvirt.DOMAIN_XML_INACTIVE)
	t.Refuses(ctx, "define another domain with the same name", libvirt.ERR_OPERATION_FAILED,
		func() error { return define(conn, d.XML) })
	t.Refuses(ctx, "define another domain with the same UUID", libvirt.ERR_OPERATION_FAILED,
		func() error { return define(conn, strings.Replace(mine, "<name>", "<name>other-", 1)) })
	t.Expect(d.Dump(ctx, libvirt.DOMAIN_XML_INACTIVE)).To(Equal(mine), "the domain whose name and UUID were asked for")
}
