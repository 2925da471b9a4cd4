package outbound

import (
	"context"
	"regexp"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/cell"
	"libvirt.org/go/libvirt"
)

// liveOnly is what the XML of a running domain has on top of the definition
// that is made from it.
var liveOnly = []exception{
	{regexp.MustCompile(`^/domain\[1\]/@id=`), "the number of this run"},
	{regexp.MustCompile(`/alias\[1\](/@name=|$)`), "names that the driver gives while it runs"},
	{regexp.MustCompile(`^/domain\[1\]/seclabel\[`), "labels made for this run"},
	{regexp.MustCompile(`^/domain\[1\]/resource\[1\]`), "the control group of this run"},
	{regexp.MustCompile(`/disk\[\d+\]/source\[1\]/@index=`), "the number of the image in this run's chain"},
	{regexp.MustCompile(`/(console|serial)\[\d+\]/(@tty=|source\[1\](/@path=/dev/pts/|$))`), "the terminal of this run"},
}

func roundTrips(ctx context.Context, t *cell.T) {
	const secret = "hidden1"
	d := t.Define(ctx, domain.WithTitle("round trip"), domain.WithVNC(secret))
	for _, flags := range []libvirt.DomainXMLFlags{
		libvirt.DOMAIN_XML_INACTIVE | libvirt.DOMAIN_XML_SECURE,
		libvirt.DOMAIN_XML_INACTIVE | libvirt.DOMAIN_XML_SECURE | libvirt.DOMAIN_XML_MIGRATABLE,
	} {
		t.Expect(survives(ctx, t, d, flags)).To(ContainSubstring(secret), "the XML with security info")
	}
	// Without it the password is left out, and a definition made from that has
	// none.
	t.Expect(survives(ctx, t, d, libvirt.DOMAIN_XML_INACTIVE)).NotTo(ContainSubstring(secret), "the XML without security info")
	t.Expect(d.Dump(ctx, libvirt.DOMAIN_XML_INACTIVE|libvirt.DOMAIN_XML_SECURE)).NotTo(ContainSubstring(secret), "the XML defined without security info")
	roundTripsLive(ctx, t)
}

// roundTripsLive defines a running domain from its own live XML: that changes
// nothing of the running one, and its definition becomes what runs.
func roundTripsLive(ctx context.Context, t *cell.T) {
	d, _ := t.Borrow(ctx)
	before := d.Dump(ctx, libvirt.DOMAIN_XML_INACTIVE)
	conn := t.Connect(ctx)
	t.Cleanup(func(context.Context) error { return define(conn, before) })
	survives(ctx, t, d, libvirt.DOMAIN_XML_INACTIVE)
	survives(ctx, t, d, libvirt.DOMAIN_XML_MIGRATABLE)
	live := survives(ctx, t, d, 0)
	isSame(t, "the live XML and the definition made from it", live, d.Dump(ctx, libvirt.DOMAIN_XML_INACTIVE), liveOnly...)
	t.Expect(d.State(ctx)).To(Equal(libvirt.DOMAIN_RUNNING))
}

// survives dumps a domain's XML, defines it, dumps it again and asserts that it
// is the same. It returns the XML.
func survives(ctx context.Context, t *cell.T, d *cell.Domain, flags libvirt.DomainXMLFlags) string {
	conn := t.Connect(ctx)
	before := d.Dump(ctx, flags)
	t.Do(ctx, "define domain from its own XML", func() error { return define(conn, before) })
	isSame(t, "the XML before and after it was defined", before, d.Dump(ctx, flags))
	return before
}

func isSame(t *cell.T, what, a, b string, except ...exception) {
	first, err := canonical(a, except...)
	t.Expect(err).NotTo(HaveOccurred(), what)
	second, err := canonical(b, except...)
	t.Expect(err).NotTo(HaveOccurred(), what)
	if d := difference(first, second); d != "" {
		t.Fail(matrix.LayerManagement, "%s differ:\n%s", what, d)
	}
}
