package lifecycle

import (
	"regexp"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
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

// secret is the password of a display: the part of the XML that only some may see.
const secret = "hidden1"

var _ = check.Register("O-RT", check.Spec{
	Asserts:  "The XML of a domain survives being dumped, defined and dumped again",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "0.0.3")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU, matrix.XenHyp, "machine", "firmware", "disk"),
	Control:  sabotage.Alter("virDomainGetXMLDesc", secret, "hidden2"),
}, func(t *steps.T) {
	d := t.Define(domain.WithTitle("round trip"), domain.WithVNC(secret))
	for _, flags := range []libvirt.DomainXMLFlags{
		libvirt.DOMAIN_XML_INACTIVE | libvirt.DOMAIN_XML_SECURE,
		libvirt.DOMAIN_XML_INACTIVE | libvirt.DOMAIN_XML_SECURE | libvirt.DOMAIN_XML_MIGRATABLE,
	} {
		t.Expect(survives(t, d, flags)).To(ContainSubstring(secret), "the XML with security info")
	}
	// Without it the password is left out, and a definition made from that has
	// none.
	t.Expect(survives(t, d, libvirt.DOMAIN_XML_INACTIVE)).NotTo(ContainSubstring(secret), "the XML without security info")
	t.Expect(d.Dump(libvirt.DOMAIN_XML_INACTIVE|libvirt.DOMAIN_XML_SECURE)).NotTo(ContainSubstring(secret), "the XML defined without security info")
	roundTripsLive(t)
})

// roundTripsLive defines a running domain from its own live XML: that changes
// nothing of the running one, and its definition becomes what runs.
func roundTripsLive(t *steps.T) {
	d := t.Guest().Domain
	survives(t, d, libvirt.DOMAIN_XML_INACTIVE)
	survives(t, d, libvirt.DOMAIN_XML_MIGRATABLE)
	live := survives(t, d, 0)
	isSame(t, "the live XML and the definition made from it", live, d.Dump(libvirt.DOMAIN_XML_INACTIVE), liveOnly...)
	t.Expect(d.State()).To(Equal(libvirt.DOMAIN_RUNNING))
}

// survives dumps a domain's XML, defines it, dumps it again and asserts that it
// is the same. It returns the XML.
func survives(t *steps.T, d *steps.Domain, flags libvirt.DomainXMLFlags) string {
	before := d.Dump(flags)
	t.Connection().Define(before)
	isSame(t, "the XML before and after it was defined", before, d.Dump(flags))
	return before
}

func isSame(t *steps.T, what, a, b string, except ...exception) {
	first, err := canonical(a, except...)
	t.Expect(err).NotTo(HaveOccurred(), what)
	second, err := canonical(b, except...)
	t.Expect(err).NotTo(HaveOccurred(), what)
	if d := difference(first, second); d != "" {
		t.Fail(matrix.LayerManagement, "%s differ:\n%s", what, d)
	}
}
