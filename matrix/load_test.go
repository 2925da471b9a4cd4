package matrix

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// small is a catalog in few lines; a test spoils one of its files.
var small = map[string]string{
	"releases.yaml": `releases:
  - name: bookworm
    source: apt
    repositories: [bookworm, bookworm-updates]
  - name: trixie
    source: apt
    repositories: [trixie]
`,
	"components.yaml": `components:
  linux: {versions: {6.1: [bookworm], 6.12: [trixie]}}
  qemu: {versions: {7.2: [bookworm], 10.0: [trixie]}}
  libvirt: {versions: {9.0: [bookworm], 11.3: [trixie]}}
  xen: {versions: {4.17: [bookworm], 4.20: [trixie]}}
`,
	"axes.yaml": `axes:
  - name: machine
    title: The machine type
    kinds: [kvm]
    values: [q35-7.2, q35-10.0]
    default: q35-{qemu}
  - name: disk
    title: The bus of disks
    values: [virtio, sata]
    default: virtio
`,
	"constraints.yaml": `constraints:
  - never: {machine: q35-10.0, qemu: "< 10"}
    why: too new
  - never: {disk: sata, composition: bundled}
    kind: kvm
    why: no reason
`,
	"profiles.yaml": `profiles:
  - name: smoke
    description: A few cells
    cells:
      - {kind: kvm, linux: 6.1, qemu: 7.2, libvirt: 9.0}
      - {kind: xen, linux: 6.1, xen: 4.17, libvirt: 9.0}
    checks:
      xen: [IX-BOOT]
`,
}

func files(spoilt, old, new string) fstest.MapFS {
	fsys := fstest.MapFS{}
	for name, text := range small {
		if name == spoilt {
			text = strings.Replace(text, old, new, 1)
		}
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return fsys
}

// mistake spoils one of the small files.
type mistake struct {
	about, file, old, new string
	// want is the error that names its place and the cure.
	want string
}

// refuses says whether each mistake gets its error, and no catalog.
func refuses(t *testing.T, mistakes []mistake) {
	t.Helper()
	for _, m := range mistakes {
		t.Run(m.about, func(t *testing.T) {
			if !strings.Contains(small[m.file], m.old) {
				t.Fatalf("the test spoils nothing: no %q in %s", m.old, m.file)
			}
			got, err := Load(files(m.file, m.old, m.new))
			if err == nil {
				t.Fatal("loaded, want an error")
			}
			if want := "cannot load matrix: " + m.want; err.Error() != want {
				t.Errorf("got  %s\nwant %s", err, want)
			}
			if got != nil {
				t.Error("the catalog is half-loaded")
			}
		})
	}
}

func TestBadInputNamesItsPlaceAndTheCure(t *testing.T) {
	refuses(t, []mistake{
		{"unknown top key", "releases.yaml", "releases:", "release:",
			`releases.yaml:1:1: unknown key "release"; did you mean "releases"?`},
		{"unknown key", "releases.yaml", "repositories: [trixie]", "repositorys: [trixie]",
			`releases.yaml:7:5: unknown key "repositorys"; did you mean "repositories"?`},
		{"missing key", "releases.yaml", "    repositories: [trixie]\n", "",
			`releases.yaml:5:5: the key "repositories" is missing`},
		{"duplicate key", "releases.yaml", "    repositories: [trixie]", "    source: apt",
			`releases.yaml:7:5: duplicate key "source", first in line 6`},
		{"duplicate release", "releases.yaml", "name: trixie", "name: bookworm",
			`releases.yaml:5:11: duplicate release "bookworm", first in releases.yaml:2`},
		{"duplicate repository", "releases.yaml", "bookworm-updates", "bookworm",
			`releases.yaml:4:30: duplicate repository "bookworm"`},
		{"unknown source", "releases.yaml", "source: apt", "source: atp",
			`releases.yaml:3:13: unknown source "atp"; there are apt, dnf`},
		{"unknown parent", "releases.yaml", "repositories: [trixie]", "repositories: [trixie]\n    parents: [bokworm]",
			`releases.yaml:8:15: unknown release "bokworm"; did you mean "bookworm"?`},
		{"parent of itself", "releases.yaml", "repositories: [trixie]", "repositories: [trixie]\n    parents: [trixie]",
			`releases.yaml:8:15: unknown release "trixie"; there are bookworm`},
		{"no truth value", "releases.yaml", "repositories: [trixie]", "repositories: [trixie]\n    check_valid_until: never",
			`releases.yaml:8:24: want true or false here, found string`},
		{"text instead of list", "releases.yaml", "[trixie]", "trixie",
			`releases.yaml:7:19: want a list here, found string`},
		{"empty list", "releases.yaml", "[trixie]", "[]",
			`releases.yaml:7:19: the list is empty`},
		{"nothing after a key", "releases.yaml", "[trixie]", "",
			`releases.yaml:7:19: want a list here, found null`},
		{"list instead of text", "releases.yaml", "name: trixie", "name: [trixie]",
			`releases.yaml:5:11: want a text here, found sequence`},
		{"empty text", "releases.yaml", "name: trixie", `name: ""`,
			`releases.yaml:5:11: the text is empty`},
		{"list instead of mapping", "releases.yaml", "releases:\n", "",
			`releases.yaml:1:3: want a mapping here, found sequence`},
		{"alias", "releases.yaml", "[trixie]", "*others",
			`releases.yaml:7:19: want a list here, found alias`},
		{"second document", "releases.yaml", "[trixie]", "[trixie]\n---\nreleases: []",
			`releases.yaml:8:1: a second document begins here; keep one`},
		{"not YAML", "releases.yaml", "[trixie]", "[trixie",
			`releases.yaml:7:19: sequence end token ']' not found`},

		{"unknown component", "components.yaml", "  qemu:", "  qemuu:",
			`components.yaml:3:3: unknown component "qemuu"; did you mean "qemu"?`},
		{"unknown release of a version", "components.yaml", "10.0: [trixie]", "10.0: [trixy]",
			`components.yaml:3:45: unknown release "trixy"; did you mean "trixie"?`},
		{"duplicate version", "components.yaml", "10.0:", "7.2:",
			`components.yaml:3:38: duplicate key "7.2", first in line 3`},
		{"not a version", "components.yaml", "10.0:", "newest:",
			`components.yaml:3:38: "newest" is not a version`},

		{"duplicate profile", "profiles.yaml", "checks:\n      xen: [IX-BOOT]", "checks:\n      xen: [IX-BOOT]\n  - name: smoke",
			`profiles.yaml:9:11: duplicate profile "smoke", first in profiles.yaml:2`},
		{"unknown kind of cell", "profiles.yaml", "kind: kvm", "kind: kwm",
			`profiles.yaml:5:16: unknown kind "kwm"; did you mean "kvm"?`},
		{"no kind", "profiles.yaml", "kind: kvm, ", "",
			`profiles.yaml:5:10: the key "kind" is missing`},
		{"unknown axis", "profiles.yaml", "qemu: 7.2", "qemuu: 7.2",
			`profiles.yaml:5:33: unknown key "qemuu"; did you mean "qemu"?`},
		{"axis of another kind", "profiles.yaml", "qemu: 7.2", "xen: 4.17",
			`profiles.yaml:5:33: unknown key "xen"; there are kind, tier, linux, qemu, libvirt, composition, machine, disk`},
		{"axis left out", "profiles.yaml", "qemu: 7.2, ", "",
			`profiles.yaml:5:10: the key "qemu" is missing`},
		{"unknown version", "profiles.yaml", "qemu: 7.2", "qemu: 7.3",
			`profiles.yaml:5:39: unknown version of qemu "7.3"; did you mean "7.2"?`},
		{"duplicate cell", "profiles.yaml", "{kind: xen, linux: 6.1, xen: 4.17, libvirt: 9.0}", "{kind: kvm, linux: 6.1, qemu: 7.2, libvirt: 9.0}",
			`profiles.yaml:6:10: duplicate cell of profile smoke "kvm_linux-6.1_qemu-7.2_libvirt-9.0", first in profiles.yaml:5`},
		{"torn Xen", "profiles.yaml", "xen: 4.17", "xen: 4.20",
			`profiles.yaml:6:10: xen and libvirt of a xen cell must come from one release, but xen 4.20 is in trixie; libvirt 9.0 is in bookworm`},
		{"unknown check", "profiles.yaml", "[IX-BOOT]", "[IX-BOOT, IX-BOT]",
			`profiles.yaml:8:22: nothing matches "IX-BOT"; did you mean "IX-BOOT"?`},
		{"unknown kind of checks", "profiles.yaml", "      xen: [", "      zen: [",
			`profiles.yaml:8:7: unknown kind or tier "zen"; did you mean "xen"?`},
	})
}

func TestEmptyFileIsAnError(t *testing.T) {
	for _, text := range []string{"", "\n", "# nothing here\n"} {
		fsys := files("", "", "")
		fsys["axes.yaml"] = &fstest.MapFile{Data: []byte(text)}
		_, err := Load(fsys)
		if want := "cannot load matrix: axes.yaml:1:1: the file is empty"; err == nil || err.Error() != want {
			t.Errorf("%q: got %v\nwant %s", text, err, want)
		}
	}
}

func TestMissingFileIsAnError(t *testing.T) {
	fsys := files("", "", "")
	delete(fsys, "profiles.yaml")
	_, err := Load(fsys)
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "profiles.yaml") {
		t.Errorf("got %v, want that profiles.yaml does not exist", err)
	}
}

func TestVersionsNeedNoQuotes(t *testing.T) {
	quoted := files("components.yaml", "11.3:", `"11.30":`)
	bare := files("components.yaml", "11.3:", "11.30:")
	for about, fsys := range map[string]fstest.MapFS{"quoted": quoted, "bare": bare} {
		c, err := Load(fsys)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Version(Libvirt, "11.30"); err != nil {
			t.Errorf("%s: %v", about, err)
		}
	}
}

func TestFolderLoadsLikeTheEmbeddedFiles(t *testing.T) {
	got, err := Load(os.DirFS("."))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(catalog(t), got, cmp.AllowUnexported(Catalog{}), cmpopts.EquateEmpty()); d != "" {
		t.Error(d)
	}
}
