package matrix

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// records reads stanzas that releases serve for real, with the fields that matter.
func records(t *testing.T, releases ...string) []Record {
	t.Helper()
	var out []Record
	for _, release := range releases {
		text, err := os.ReadFile(filepath.Join("testdata", "derive", release))
		if err != nil {
			t.Fatal(err)
		}
		for stanza := range strings.SplitSeq(strings.TrimSpace(string(text)), "\n\n") {
			out = append(out, record(release, stanza))
		}
	}
	return out
}

func record(release, stanza string) Record {
	r := Record{Release: release}
	for line := range strings.Lines(stanza) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch list := strings.Split(value, ", "); name {
		case "Package":
			r.Package, r.Source = value, value
		case "Version":
			r.Version = value
		case "Source":
			r.Source, _, _ = strings.Cut(value, " ")
		case "Provides":
			r.Provides = list
		case "Depends", "Pre-Depends":
			r.Depends = append(r.Depends, list...)
		case "Breaks":
			r.Breaks = list
		case "Conflicts":
			r.Conflicts = list
		}
	}
	return r
}

// stacks is a catalogue in which each test says what releases serve.
func stacks(t *testing.T, components string) *Catalog {
	t.Helper()
	fsys := fstest.MapFS{"components.yaml": {Data: []byte(components)}}
	for _, name := range []string{"releases.yaml"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		fsys[name] = &fstest.MapFile{Data: text}
	}
	fsys["axes.yaml"] = &fstest.MapFile{Data: []byte("axes: []\n")}
	fsys["constraints.yaml"] = &fstest.MapFile{Data: []byte("constraints: []\n")}
	fsys["profiles.yaml"] = &fstest.MapFile{Data: []byte("profiles:\n  - {name: p, description: d, cells: [{kind: kvm, linux: newest, qemu: newest, libvirt: newest}]}\n")}
	c, err := Load(fsys)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const real = `
components:
  linux:
    packages: {kvm: [linux-image-cloud-amd64], xen: [linux-image-amd64]}
    versions: {5.10: [bullseye], 6.1: [bookworm], 6.12: [trixie, bookworm-backports], 7.2: [sid]}
  qemu:
    packages: {kvm: [qemu-system-x86, qemu-system-common]}
    versions: {5.2: [bullseye], 7.2: [bookworm], 10.0: [trixie, bookworm-backports], 11.1: [sid]}
  libvirt:
    packages: {kvm: [libvirt-daemon, libvirt-daemon-driver-qemu], xen: [libvirt-daemon, libvirt-daemon-driver-xen]}
    versions: {7.0: [bullseye], 9.0: [bookworm], 11.3: [trixie, bookworm-backports], 12.8: [sid]}
  xen:
    packages: {xen: [xen-utils-4.*, xen-hypervisor-4.*]}
    versions: {4.14: [bullseye], 4.17: [bookworm], 4.20: [trixie, sid]}
`

// said writes constraints a line each.
func said(constraints []Constraint) []string {
	var out []string
	for _, k := range constraints {
		var never []string
		for _, c := range k.Never {
			never = append(never, c.Axis+" "+strings.Join(c.Values, ","))
		}
		out = append(out, string(k.Kind)+": "+strings.Join(never, " + ")+": "+k.Why+" ["+k.Source+"]")
	}
	return out
}

func derive(t *testing.T, c *Catalog, records []Record) []string {
	t.Helper()
	out, err := c.Derive(records, Kinds()...)
	if err != nil {
		t.Fatal(err)
	}
	return said(out.Constraints[len(c.Constraints):])
}

func TestDebiansOwnPackagesStateTheirConstraints(t *testing.T) {
	got := derive(t, stacks(t, real), records(t, "bullseye", "bookworm", "bookworm-backports", "trixie", "sid"))
	want := []string{
		"kvm: qemu 7.2 + libvirt 7.0: qemu 7.2 breaks libvirt before 7.2.0 [qemu-system-common 1:7.2+dfsg-7+deb12u18+b3 (bookworm) Breaks: libvirt-daemon (<< 7.2.0-1)]",
		"kvm: qemu 10.0 + libvirt 7.0: qemu 10.0 breaks libvirt before 7.2.0 [qemu-system-common 1:10.0.13+ds-0+deb13u1 (trixie) Breaks: libvirt-daemon (<< 7.2.0-1)]",
		"xen: libvirt 9.0 + xen 4.14,4.20: libvirt 9.0 needs libxenmisc4.17 (>= 4.17.3+10-g091466ba55), which only xen 4.17 has " +
			"[libvirt-daemon-driver-xen 9.0.0-4+deb12u2 (bookworm) Depends: libxenmisc4.17 (>= 4.17.3+10-g091466ba55)]",
		// Not 4.17: libvirt 11.3 of bookworm-backports is built with bookworm's Xen.
		"xen: libvirt 11.3 + xen 4.14: libvirt 11.3 needs libxenmisc4.20 (>= 4.20.3+127-gc42374a105), which only xen 4.20 has " +
			"[libvirt-daemon-driver-xen 11.3.0-3+deb13u3 (trixie) Depends: libxenmisc4.20 (>= 4.20.3+127-gc42374a105)]",
		"xen: libvirt 12.8 + xen 4.14,4.17: libvirt 12.8 needs libxenmisc4.20 (>= 4.20.3+127-gc42374a105), which only xen 4.20 has " +
			"[libvirt-daemon-driver-xen 12.8.0-1 (sid) Depends: libxenmisc4.20 (>= 4.20.3+127-gc42374a105)]",
		"xen: libvirt 7.0 + xen 4.17,4.20: libvirt 7.0 needs libxenmisc4.14, which only xen 4.14 has " +
			"[libvirt-daemon-driver-xen 7.0.0-3+deb11u3 (bullseye) Depends: libxenmisc4.14]",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestReleasesWithoutRecordsAreNotJudged(t *testing.T) {
	got := derive(t, stacks(t, real), records(t, "bullseye", "trixie"))
	for _, line := range got {
		if strings.Contains(line, "9.0") || strings.Contains(line, "4.17,") || strings.Contains(line, "qemu 7.2") {
			t.Errorf("bookworm was not asked, but: %s", line)
		}
	}
	if len(got) == 0 {
		t.Error("nothing is derived from the releases that were asked")
	}
}

// two has two versions of qemu and libvirt, and a libvirt of two releases: with
// qemu 7.2 it comes from bookworm, with any other from trixie.
const two = `
components:
  linux: {versions: {6.1: [bookworm]}}
  qemu: {packages: {kvm: [emulator]}, versions: {7.2: [bookworm], 10.0: [trixie]}}
  libvirt: {packages: {kvm: [manager*]}, versions: {9.0: [trixie, bookworm], 11.3: [trixie]}}
  xen: {versions: {4.17: [bookworm]}}
`

// emulators and managers as two releases may have them; what a test adds comes
// last.
func twoReleases(stanzas ...string) []Record {
	out := []Record{
		record("bookworm", "Package: emulator\nSource: qemu\nVersion: 1:7.2+ds-1\nProvides: emu-7, emu (= 7.2)"),
		record("bookworm", "Package: emulator-data\nSource: qemu\nVersion: 1:7.2+ds-1"),
		record("bookworm", "Package: manager\nSource: libvirt\nVersion: 9.0-1"),
		record("trixie", "Package: emulator\nSource: qemu\nVersion: 1:10.0-1\nProvides: emu (= 10.0)"),
		record("trixie", "Package: emulator-data\nSource: qemu\nVersion: 1:10.0-1"),
		record("trixie", "Package: manager\nSource: libvirt\nVersion: 11.3-1"),
	}
	for _, s := range stanzas {
		release, stanza, _ := strings.Cut(s, "\n")
		out = append(out, record(release, stanza))
	}
	return out
}

const later = "trixie\nPackage: manager-x\nSource: libvirt\nVersion: 11.3-1\n"

func TestWhatPackagesMaySay(t *testing.T) {
	const (
		with72  = "kvm: libvirt 11.3 + qemu 7.2: libvirt 11.3 "
		with100 = "kvm: libvirt 11.3 + qemu 10.0: libvirt 11.3 "
	)
	for stanza, want := range map[string]string{
		// One that breaks, by name and by what is provided.
		"Breaks: emulator (<< 1:8)":                      with72 + "breaks qemu before 8",
		"Breaks: emulator (<= 1:7.2+ds-1)":               with72 + "breaks qemu up to 7.2+ds",
		"Breaks: emulator (= 1:7.2+ds-1)":                with72 + "breaks qemu 7.2+ds",
		"Breaks: emulator (>> 1:7.2+ds-1)":               with100 + "breaks qemu after 7.2+ds",
		"Breaks: emulator-data (>= 1:10)":                with100 + "breaks qemu from 10 on",
		"Conflicts: other, emu-7":                        with72 + "conflicts with qemu",
		"Conflicts: emu (>> 8)":                          with100 + "conflicts with qemu after 8",
		"Conflicts: emu-7 (<< 9)":                        "",
		"Breaks: emulator:i386, emulator (<< 1:1), qemu": "",
		"Breaks: emulator [arm64]":                       "",
		"Breaks: manager (<< 99)":                        "",
		"Depends: emu-7":                                 with100 + "needs emu-7, which only qemu 7.2 has",
		"Depends: emu-7 | emu (>> 8)":                    "",
		"Depends: emu (>> 8) | emulator-data (>> 1:9)":   with72 + "needs emu (>> 8) | emulator-data (>> 1:9), which only qemu 10.0 has",
		"Depends: emulator:any (>= 1:10)":                with72 + "needs emulator:any (>= 1:10), which only qemu 10.0 has",
		// A package of neither component may do as well.
		"Depends: emu-7 | something-else": "",
		"Depends: emu-7 [arm64]":          "",
		"Depends: emulator, libc6 (>= 2)": "",
	} {
		// bookworm's libvirt is no other version here.
		c := stacks(t, strings.Replace(two, "[trixie, bookworm]", "[bookworm]", 1))
		got := derive(t, c, twoReleases(later+stanza))
		if want == "" && len(got) != 0 || want != "" && (len(got) != 1 || !strings.HasPrefix(got[0], want+" [manager-x 11.3-1 (trixie) ")) {
			t.Errorf("%q\n gives %q\nwant   %q", stanza, got, want)
		}
	}
}

func TestNoVersionMayDo(t *testing.T) {
	got := derive(t, stacks(t, two), twoReleases(later+"Depends: emulator (>= 1:99)"))
	const where = " [manager-x 11.3-1 (trixie) Depends: emulator (>= 1:99)]"
	want := []string{
		"kvm: libvirt 11.3 + qemu 7.2,10.0: libvirt 11.3 needs emulator (>= 1:99), which no qemu has" + where,
		// With qemu 10.0, libvirt 9.0 is trixie's too.
		"kvm: libvirt 9.0 + qemu 10.0: libvirt 9.0 needs emulator (>= 1:99), which no qemu has" + where,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAVersionOfTwoReleasesIsJudgedByTheOneThatACellTakes(t *testing.T) {
	// libvirt 9.0 is native with qemu 7.2, and then bookworm's; trixie's breaks that qemu.
	got := derive(t, stacks(t, two), twoReleases(later+"Breaks: emulator (<< 1:8)"))
	want := []string{"kvm: libvirt 11.3 + qemu 7.2: libvirt 11.3 breaks qemu before 8 [manager-x 11.3-1 (trixie) Breaks: emulator (<< 1:8)]"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestWhereTheRestOfTheStackDecidesItIsNamed(t *testing.T) {
	// With linux 6.12 all of the stack is trixie's; with linux 6.1 libvirt 9.0 is
	// trixie's too, and qemu 7.2 bookworm's.
	c := stacks(t, `
components:
  linux: {versions: {6.1: [bookworm], 6.12: [trixie]}}
  qemu: {packages: {kvm: [emulator]}, versions: {7.2: [bookworm, trixie]}}
  libvirt: {packages: {kvm: [manager]}, versions: {9.0: [trixie, bookworm]}}
  xen: {versions: {4.17: [bookworm]}}
`)
	r := []Record{
		record("bookworm", "Package: emulator\nSource: qemu\nVersion: 1:7.2-1"),
		record("bookworm", "Package: manager\nSource: libvirt\nVersion: 9.0-1"),
		record("trixie", "Package: emulator\nSource: qemu\nVersion: 1:7.2-2"),
		record("trixie", "Package: manager\nSource: libvirt\nVersion: 9.0-2\nBreaks: emulator (= 1:7.2-2)"),
	}
	want := []string{"kvm: libvirt 9.0 + qemu 7.2 + linux 6.12: libvirt 9.0 breaks qemu 7.2, as composed with linux 6.12 " +
		"[manager 9.0-2 (trixie) Breaks: emulator (= 1:7.2-2)]"}
	if diff := cmp.Diff(want, derive(t, c, r)); diff != "" {
		t.Error(diff)
	}
}

func TestDeriveLeavesTheCatalogAlone(t *testing.T) {
	c := stacks(t, real)
	out, err := c.Derive(records(t, "bullseye", "bookworm", "bookworm-backports", "trixie", "sid"), Kinds()...)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Constraints) != 0 || len(out.Constraints) == 0 {
		t.Errorf("the catalog has %d constraints, its copy %d", len(c.Constraints), len(out.Constraints))
	}
}

func TestRecordsThatCannotBeJudgedAreErrors(t *testing.T) {
	for want, r := range map[string][]Record{
		`unknown release "bokworm"; did you mean "bookworm"?`:                   {{Release: "bokworm"}},
		`Breaks of manager 9 (bookworm): cannot read relation "emulator (? 7)"`: {record("bookworm", "Package: manager\nVersion: 9\nBreaks: emulator (? 7)")},
		`Provides of manager 9 (bookworm): cannot read relation "a | b"`:        {record("bookworm", "Package: manager\nVersion: 9\nProvides: a | b")},
		`no release has a package "emulator", of which components.yaml says that it is qemu on kvm`: {
			record("bookworm", "Package: manager\nVersion: 9"), record("trixie", "Package: manager\nVersion: 9")},
	} {
		_, err := stacks(t, two).Derive(r, Kinds()...)
		if err == nil || err.Error() != "cannot derive constraints: "+want {
			t.Errorf("got  %v\nwant cannot derive constraints: %s", err, want)
		}
	}
}
