package lifecycle

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func lines(t *testing.T, doc string, except ...exception) []string {
	t.Helper()
	got, err := canonical(doc, except...)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestCanonicalNamesEveryPart(t *testing.T) {
	got := lines(t, `<domain type='kvm' id="1"><name>a b</name><devices><disk/><serial/><disk device='x'/></devices></domain>`)
	want := []string{
		"/domain[1]", "/domain[1]/@id=1", "/domain[1]/@type=kvm",
		"/domain[1]/name[1]", "/domain[1]/name[1]=a b",
		"/domain[1]/devices[1]",
		"/domain[1]/devices[1]/disk[1]",
		"/domain[1]/devices[1]/serial[1]",
		"/domain[1]/devices[1]/disk[2]", "/domain[1]/devices[1]/disk[2]/@device=x",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestCanonicalIsBlindToSpelling(t *testing.T) {
	same := [][2]string{
		{`<a x='1' y='2'/>`, `<a y="2" x="1"></a>`},
		{"<a>\n  <b>t</b>\n</a>", "<a><b> t </b></a>"},
		{"<a><!-- said --><b/></a>", "<a><b/></a>"},
		{"<?xml version='1.0'?><a>&lt;</a>", "<a><![CDATA[<]]></a>"},
		{"<q:a xmlns:q='u'/>", "<q:a xmlns:q='u'></q:a>"},
	}
	for _, pair := range same {
		if d := difference(lines(t, pair[0]), lines(t, pair[1])); d != "" {
			t.Errorf("%s and %s differ:\n%s", pair[0], pair[1], d)
		}
	}
}

func TestDifferenceSeesWhatMatters(t *testing.T) {
	for _, c := range []struct{ a, b, want string }{
		{`<a x='1'/>`, `<a x='2'/>`, "- /a[1]/@x=1\n+ /a[1]/@x=2"},
		{`<a><b/></a>`, `<a/>`, "- /a[1]/b[1]"},
		{`<a>t</a>`, `<a>u</a>`, "- /a[1]=t\n+ /a[1]=u"},
		{`<a><b/><b/></a>`, `<a><b/></a>`, "- /a[1]/b[2]"},
		{`<a><b/><c/></a>`, `<a><c/><b/></a>`, "the same lines in another order"},
		{`<q:a xmlns:q='u'/>`, `<q:a xmlns:q='v'/>`, "- /u:a[1]\n- /u:a[1]/@xmlns:q=u\n+ /v:a[1]\n+ /v:a[1]/@xmlns:q=v"},
	} {
		if got := difference(lines(t, c.a), lines(t, c.b)); got != c.want {
			t.Errorf("%s and %s: got\n%s\nwant\n%s", c.a, c.b, got, c.want)
		}
	}
}

func TestCanonicalLeavesExceptionsOut(t *testing.T) {
	alias := exception{regexp.MustCompile(`/alias\[1\]`), "only a running domain has it"}
	got := lines(t, `<d><alias name='x'/><disk><alias name='y'/></disk></d>`, alias)
	if diff := cmp.Diff([]string{"/d[1]", "/d[1]/disk[1]"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestCanonicalRefusesWhatIsNoXML(t *testing.T) {
	_, err := canonical("<a><b></a>")
	if err == nil || !strings.HasPrefix(err.Error(), "cannot read XML: ") {
		t.Errorf("got error %v", err)
	}
}
