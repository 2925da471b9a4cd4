package capture

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// facts reads one fact a line: PATH [VALUE] [!required] [!optional] [!deprecated].
func facts(kind, text string) Set {
	var all []Fact
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		f := Fact{Path: words[0], Required: slices.Contains(words, "!required"), Optional: slices.Contains(words, "!optional"), Deprecated: slices.Contains(words, "!deprecated")}
		for _, w := range words[1:] {
			if !strings.HasPrefix(w, "!") {
				f.Value = strings.TrimSpace(f.Value + " " + w)
			}
		}
		all = append(all, f)
	}
	return NewSet(kind, kind+" test", all)
}

// lines are the groups as a person reads them.
func lines(groups []Group) []string {
	var out []string
	for _, g := range groups {
		out = append(out, g.String())
	}
	return out
}

func TestCompare(t *testing.T) {
	for _, tc := range []struct {
		name, kind, old, new string
		groups, findings     []string
	}{
		{"one driver is gone from many places", "qmp",
			"a\na/arguments/driver\na/arguments/driver/=x\na/arguments/driver/=x/file\nb\nb/arguments/driver/=x",
			"a\na/arguments/driver\nb",
			[]string{`value "=x" removed at 2 places (a/arguments/driver/=x, ...)`},
			[]string{`value "=x" removed at 2 places (a/arguments/driver/=x, ...)`}},
		{"a command with all of it", "qmp", "a\na/arguments/x\na/returns/y\nb", "b",
			[]string{`command or event "a" removed`}, []string{`command or event "a" removed`}},
		{"a new argument must be given", "qmp", "a", "a\na/arguments/x !required\nc\nc/arguments/y !required",
			[]string{`argument "x" newly required (a/arguments/x)`, `command or event "c" added`},
			[]string{`argument "x" newly required (a/arguments/x)`}},
		{"an argument must be given now", "qmp", "a/arguments/x\nb/arguments/x !required", "a/arguments/x !required\nb/arguments/x",
			[]string{`argument "x" newly required (a/arguments/x)`}, []string{`argument "x" newly required (a/arguments/x)`}},
		{"a result may be missing now", "qmp", "a/returns/x !required\nb/returns/x", "a/returns/x\nb/returns/x !required",
			[]string{`result "x" changed from "always there" to "sometimes there" (a/returns/x)`}, nil},
		{"nobody misses a value that is not given", "qmp", "a/returns/x\na/returns/x/=v", "a/returns/x",
			[]string{`value "=v" removed (a/returns/x/=v)`}, nil},
		{"a deprecation is told by upstream itself", "qmp", "a", "a !deprecated", []string{`command or event "a" newly deprecated`}, nil},
		{"one property of a base class", "devices", "d1\nd1/p str\nd2\nd2/p str", "d1\nd2",
			[]string{`property "p" removed at 2 places (d1/p, ...)`}, []string{`property "p" removed at 2 places (d1/p, ...)`}},
		{"defaults count where both state one", "devices", "d/p bool\nd/p/default on\nd/q bool\nd/q/default 1", "d/p bool\nd/p/default off\nd/q bool\nd/r bool\nd/r/default 1",
			[]string{`default "p" changed from "on" to "off" (d/p/default)`, `property "r" added (d/r)`}, nil},
		{"a state that is refused", "vmstate", "a version 3, minimum 2\nb version 2, minimum 1\nc version 1, minimum 1", "a version 2, minimum 2\nb version 4, minimum 3\nc version 2, minimum 1",
			[]string{
				`device "a" changed from "version 3, minimum 2" to "version 2, minimum 2"`,
				`device "b" changed from "version 2, minimum 1" to "version 4, minimum 3"`,
				`device "c" changed from "version 1, minimum 1" to "version 2, minimum 1"`,
			}, []string{
				`device "a" changed from "version 3, minimum 2" to "version 2, minimum 2"`,
				`device "b" changed from "version 2, minimum 1" to "version 4, minimum 3"`,
			}},
		{"an optional part of a state", "vmstate", "a version 1, minimum 1\na/sub version 1, minimum 1 !optional", "a version 1, minimum 1", []string{`part "sub" removed (a/sub)`}, nil},
		{"only CPU models with a version never change", "cpus", "M-v1\nM-v1/f on\nM\nM/f on", "M-v1\nM-v1/f off\nM\nM/f off",
			[]string{`feature "f" changed from "on" to "off" (M-v1/f)`, `feature "f" changed from "on" to "off" (M/f)`},
			[]string{`feature "f" changed from "on" to "off" (M-v1/f)`}},
		{"less of the kernel", "kconfig", "KVM y\nTUN m\nXEN m\nD y", "KVM m\nTUN y\nXEN n\nD m",
			[]string{`symbol "KVM" changed from "y" to "m"`, `symbol "XEN" changed from "m" to "n"`, `symbol "D" changed from "y" to "m"`, `symbol "TUN" changed from "m" to "y"`},
			[]string{`symbol "KVM" changed from "y" to "m"`, `symbol "XEN" changed from "m" to "n"`}},
		{"a kernel that is packed and entered in another way", "payload", "packing xz\nprotocol 2.15\nloads/EFI_HANDOVER_64\nnotes/PHYS32_ENTRY\nnotes/HYPERCALL_PAGE\nnotes/GUEST_VERSION 2.6", "packing zstd\nprotocol 2.16\nnotes/GUEST_VERSION 2.7\nnotes/NEW",
			[]string{`entry "EFI_HANDOVER_64" removed (loads/EFI_HANDOVER_64)`, `entry "PHYS32_ENTRY" removed (notes/PHYS32_ENTRY)`, `entry "HYPERCALL_PAGE" removed (notes/HYPERCALL_PAGE)`, `fact "packing" changed from "xz" to "zstd"`, `entry "GUEST_VERSION" changed from "2.6" to "2.7" (notes/GUEST_VERSION)`, `fact "protocol" changed from "2.15" to "2.16"`, `entry "NEW" added (notes/NEW)`},
			[]string{`entry "EFI_HANDOVER_64" removed (loads/EFI_HANDOVER_64)`, `entry "PHYS32_ENTRY" removed (notes/PHYS32_ENTRY)`, `fact "packing" changed from "xz" to "zstd"`}},
		{"a hypervisor that offers less", "hypervisor", "configuration/SHADOW_PAGING y\nconfiguration/GONE y\ninterfaces/domctl 19\ncalls/domctl_pausedomain 3\ncalls/tmem_op 38", "configuration/SHADOW_PAGING n\ninterfaces/domctl 21\ncalls/domctl_pausedomain 3",
			[]string{`entry "tmem_op" removed (calls/tmem_op)`, `entry "GONE" removed (configuration/GONE)`, `entry "SHADOW_PAGING" changed from "y" to "n" (configuration/SHADOW_PAGING)`, `entry "domctl" changed from "19" to "21" (interfaces/domctl)`},
			[]string{`entry "tmem_op" removed (calls/tmem_op)`, `entry "SHADOW_PAGING" changed from "y" to "n" (configuration/SHADOW_PAGING)`, `entry "domctl" changed from "19" to "21" (interfaces/domctl)`}},
		{"what could not be looked into", "devices", "d\nd/p str\ne introspection: the emulator died", "d introspection: the emulator died\ne\ne/q str",
			[]string{`device "d" changed from "" to "introspection: the emulator died"`, `device "e" changed from "introspection: the emulator died" to ""`}, nil},
		{"files that are called or loaded", "files", "/usr/bin/a -rwxr-xr-x root root\n/usr/share/a -rw-r--r-- root root\n/etc/init.d/a -rwxr-xr-x root root\n/usr/lib/libvirt/storage-backend/b.so -rw-r--r-- root root\n/var/lib/a drwx--x--x root root\n/usr/bin/l link to x", "/var/x -rw-r--r-- root root",
			[]string{`file "/usr/bin" removed at 2 places (/usr/bin/a, ...)`, `file "/etc/init.d" removed (/etc/init.d/a)`, `file "/usr/lib/libvirt/storage-backend" removed (/usr/lib/libvirt/storage-backend/b.so)`, `file "/usr/share" removed (/usr/share/a)`, `file "/var/lib" removed (/var/lib/a)`, `file "/var" added (/var/x)`},
			[]string{`file "/usr/bin" removed at 2 places (/usr/bin/a, ...)`, `file "/etc/init.d" removed (/etc/init.d/a)`, `file "/usr/lib/libvirt/storage-backend" removed (/usr/lib/libvirt/storage-backend/b.so)`}},
		{"files that are open to others", "files", "/a/x drwx------ root root\n/a/y -rw------- root root\n/a/z link to u\n/a/w -rw-r--r-- root root", "/a/x drwx--x--x root root\n/a/y -rw------- root libvirt\n/a/z link to v\n/a/w drwxr-xr-x root root",
			[]string{`file "/a" changed from "-rw------- root root" to "-rw------- root libvirt" (/a/y)`, `file "/a" changed from "drwx------ root root" to "drwx--x--x root root" (/a/x)`, `file "/a" changed from "-rw-r--r-- root root" to "drwxr-xr-x root root" (/a/w)`, `file "/a" changed from "link to u" to "link to v" (/a/z)`},
			[]string{`file "/a" changed from "-rw------- root root" to "-rw------- root libvirt" (/a/y)`, `file "/a" changed from "drwx------ root root" to "drwx--x--x root root" (/a/x)`}},
		{"files by their folder", "files", "/a\n/a/x\n/a/y\n/b/z", "/a", []string{`file "/a" removed at 2 places (/a/x, ...)`, `file "/b" removed (/b/z)`}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			old, new := facts(tc.kind, tc.old), facts(tc.kind, tc.new)
			d := Compare(old, new)
			if got := lines(d.Groups); !slices.Equal(got, tc.groups) {
				t.Errorf("groups:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(tc.groups, "\n"))
			}
			if got := lines(d.Findings()); !slices.Equal(got, tc.findings) {
				t.Errorf("findings:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(tc.findings, "\n"))
			}
			if same := Compare(new, new); len(same.Groups) != 0 {
				t.Errorf("a set differs from itself: %q", lines(same.Groups))
			}
		})
	}
}

func TestPackagingIsNoFinding(t *testing.T) {
	old, new := facts("devices", "qxl\nqxl/ram\nvga"), facts("devices", "vga")
	if n := len(Compare(old, new).Findings()); n != 1 {
		t.Fatalf("%d findings, want one", n)
	}
	new.Absent = map[string]string{"qxl": "module hw-display-qxl is not installed"}
	d := Compare(old, new)
	if len(d.Findings()) != 0 || len(d.Groups) != 1 || d.Groups[0].Packaging != "module hw-display-qxl is not installed" {
		t.Errorf("groups %+v", d.Groups)
	}
}

func TestAnnouncedIsToldWithItsSource(t *testing.T) {
	all, err := parseAnnounced([]byte(`announced: [{kinds: [qmp], match: ["=gluster*", "a/*/tls"], document: docs/about/removed.rst, version: "11.0"}]`))
	if err != nil {
		t.Fatal(err)
	}
	for pattern, names := range map[string][]string{all[0].Match[0]: {"=gluster", "=gluster+tcp"}, all[0].Match[1]: {"a/arguments/tls"}, "*": {"", "x"}} {
		for _, name := range names {
			if !wildcard(pattern, name) {
				t.Errorf("%q does not match %q", pattern, name)
			}
		}
	}
	if wildcard("=gluster*", "=nfs") || wildcard("a/*/tls", "a/arguments/tlsx") || wildcard("qxl", "qxl-vga") || wildcard("ab*ba", "aba") {
		t.Error("a pattern matches too much")
	}
}

func TestAnnouncementsAreWhole(t *testing.T) {
	if _, err := announced(); err != nil {
		t.Error(err)
	}
	for text, want := range map[string]string{
		`announced: [{kinds: [qmpp], match: [x], document: d, version: "1"}]`: `unknown kind of capture "qmpp"; did you mean "qmp"?`,
		`announced: [{kinds: [qmp], match: [x], version: "1"}]`:               "lacks kinds, match, document or version",
		`announced: [{kind: qmp}]`:                                            "announced.yaml",
	} {
		if _, err := parseAnnounced([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

func TestASetTakenTwiceIsTheSameBytes(t *testing.T) {
	one := NewSet("devices", "q", []Fact{{Path: "b"}, {Path: "a", Value: "2"}, {Path: "a", Value: "1", Required: true}})
	two := NewSet("devices", "q", []Fact{{Path: "a", Value: "1", Required: true}, {Path: "a", Value: "2"}, {Path: "b"}})
	x, _ := json.Marshal(one)
	y, _ := json.Marshal(two)
	if !bytes.Equal(x, y) || len(one.Facts) != 2 || one.Facts[0].Value != "1" {
		t.Errorf("%s\n%s", x, y)
	}
}

func TestWhatIsPlantedIsAFindingOfEachKind(t *testing.T) {
	for _, k := range Kinds() {
		same := NewSet(k.Name, "x 1", []Fact{{Path: "a"}})
		if found := Compare(same, same).Findings(); len(found) != 0 {
			t.Errorf("%s: a version differs from itself in %v", k.Name, found)
		}
		if found := Compare(Plant(same, same)).Findings(); len(found) != 1 {
			t.Errorf("%s: what is planted is %d findings", k.Name, len(found))
		}
	}
}
