package xml

import (
	"slices"
	"strings"
	"testing"

	"github.com/virtmatrix/virtmatrix/fixtures/corpus"
)

func TestWhatIsNotKeptIsTold(t *testing.T) {
	const sent = `<domain><!-- x --><disk type='file'><target dev='vda'/></disk><disk type='file'><target dev='vdb' bus='scsi'/><serial>A</serial></disk><vcpu>2</vcpu></domain>`
	for kept, want := range map[string]string{
		sent: "",
		`<domain><vcpu placement='static'>2</vcpu><disk type='file'><target dev='vdb' bus='scsi'/><serial> A </serial></disk><a/><disk type='file'><target dev='vda'/><address/></disk></domain>`: "",
		strings.Replace(sent, ` bus='scsi'`, ``, 1):                                   `/domain/disk/target/@bus="scsi" is gone`,
		strings.Replace(sent, `scsi`, `sata`, 1):                                      `/domain/disk/target/@bus is "sata" and was sent as "scsi"`,
		strings.Replace(sent, `<serial>A</serial>`, ``, 1):                            `/domain/disk/serial is gone`,
		strings.Replace(sent, `>2<`, `><`, 1):                                         `/domain/vcpu="2" is gone`,
		strings.Replace(sent, `<vcpu>2</vcpu>`, `<vcp/>`, 1):                          `/domain/vcpu is gone`,
		`<domain><disk type='file'><target dev='vda'/></disk><vcpu>2</vcpu></domain>`: `/domain/disk is gone`,
	} {
		a, err := parse(sent)
		if err != nil {
			t.Fatal(err)
		}
		b, err := parse(kept)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, l := range lost(a, b) {
			got = append(got, l.String())
		}
		if strings.Join(got, "; ") != want {
			t.Errorf("of %s: got %q, want %q", kept, got, want)
		}
	}
	for _, bad := range []string{"", "<a>", "text", "<a/><b/>"} {
		if _, err := parse(bad); err == nil {
			t.Errorf("%q is read", bad)
		}
	}
}

func TestNamespacesAreKeptByWhatTheyStandFor(t *testing.T) {
	a, _ := parse(`<d xmlns:q='http://q'><q:arg q:x='1'/></d>`)
	b, _ := parse(`<d><arg xmlns='http://q' xmlns:p='http://q' p:x='1'/></d>`)
	if l := lost(a, b); len(l) > 0 {
		t.Errorf("lost %v", l)
	}
}

func of(name, libvirt, qemu string) *corpus.File {
	return &corpus.File{Group: "disk", Name: name, Feature: "A disk.", Libvirt: corpus.Range{From: libvirt}, QEMU: corpus.Range{From: qemu}}
}

func TestTheHeadOfAFileDecidesWhatARefusalIs(t *testing.T) {
	old, newer, newerBelow := of("old", "1.0", ""), of("newer", "10.0", ""), of("below", "8.0", "8.0")
	for _, c := range []struct {
		file     *corpus.File
		by       string
		expected bool
	}{
		{old, schema, false}, {old, lossy, false}, {old, gate, false}, {old, broken, false},
		{newer, schema, true}, {newer, lossy, true}, {newer, gate, true}, {newer, broken, true},
		{newerBelow, schema, false}, {newerBelow, lossy, false}, {newerBelow, gate, true}, {newerBelow, broken, true},
	} {
		p := pair{libvirt: "9.0", qemu: "7.2"}
		p.object(c.file, c.by, "no %d", 5)
		if got := p.verdict(); (got == "") != c.expected {
			t.Errorf("%s, %s: %q", c.file.Name, c.by, got)
		}
		if told := strings.Join(p.notes(), "\n"); strings.Contains(told, "disk/"+c.file.Name) != c.expected {
			t.Errorf("%s, %s is noted: %q", c.file.Name, c.by, told)
		}
	}
}

func TestAVerdictNamesFilesFirstAndWhoRefuses(t *testing.T) {
	p := pair{libvirt: "9.0", qemu: "7.2"}
	if p.verdict() != "" || len(p.notes()) > 0 {
		t.Errorf("nothing is wrong, and told is %q, %q", p.verdict(), p.notes())
	}
	a, b := of("a", "1.0", ""), of("b", "1.0", "")
	p.object(a, gate, "libvirt says (67)")
	p.object(b, broken, "x is unsupported")
	p.object(b, lossy, "/y is gone")
	lines := strings.Split(p.verdict(), "\n")
	want := []string{"libvirt 9.0 with qemu 7.2 does not take: disk/a, disk/b (each must work, says the head of its file in fixtures/corpus: either a package lost it, or the head is wrong)", "disk/a (A disk) GATE: libvirt says (67)", "disk/b (A disk) BREAK: x is unsupported", "disk/b (A disk) LOST: /y is gone"}
	if !slices.Equal(lines, want) {
		t.Errorf("it says:\n%s", p.verdict())
	}
}

func TestWhatWorksEarlyIsNoted(t *testing.T) {
	p := pair{libvirt: "9.0", qemu: "7.2", through: []*corpus.File{of("a", "1.0", ""), of("b", "10.0", "")}}
	if notes := p.notes(); len(notes) != 1 || !strings.Contains(notes[0], "disk/b") || strings.Contains(notes[0], "disk/a") {
		t.Errorf("noted is %q", notes)
	}
}

func TestTheLastWordsAreNoWarning(t *testing.T) {
	for said, want := range map[string]string{
		"qemu: warning: old\nqemu: x is not valid\nqemu: warning: TCG lacks it\n\n": "qemu: x is not valid",
		"qemu: warning: old": "nothing that is no warning",
		"":                   "nothing that is no warning",
	} {
		if got := lastWords(said); got != want {
			t.Errorf("of %q: %q", said, got)
		}
	}
}

func TestEachGroupHasAKind(t *testing.T) {
	for _, group := range corpus.Groups() {
		files, err := corpus.Group(group)
		if err != nil || kinds[files[0].Kind].definer == nil {
			t.Errorf("nobody defines %s: %v", group, err)
		}
	}
}
