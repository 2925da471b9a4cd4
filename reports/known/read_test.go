package known

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/virtmatrix/virtmatrix/matrix"
)

// good is an issue as it must be.
const good = `
- id: restore
  checks: [O-SAVE, O-MSAVE]
  where: {libvirt: "<= 11.3", qemu: ">= 11.1"}
  text: migration to a file is not supported
  says: it cannot restore
  tracker: docs/findings.md#save
  owner: virt-sig
  expires: 2026-05-31
`

const waiver = `
- cell: kvm_linux-6.1_qemu-7.2_libvirt-9.0
  check: O-SAVE
  packages: {userland-kvm: 0123456789ab}
  author: A. Maintainer
  reason: the fix is in the next build
  expires: 2026-01-31
`

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func read(t *testing.T, issues, waivers string) (*Rules, error) {
	t.Helper()
	cat, err := matrix.Default()
	if err != nil {
		t.Fatal(err)
	}
	return Read(cat, File{"known.yaml", []byte("version: 1\nissues:\n" + issues)}, File{"waivers.yaml", []byte("version: 1\nwaivers:\n" + waivers)})
}

func TestTheBuiltInFilesAreAsStrictAsAnyOther(t *testing.T) {
	cat, err := matrix.Default()
	if err != nil {
		t.Fatal(err)
	}
	text := func(name string) File {
		text, err := os.ReadFile("../../ci/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return File{name, text}
	}
	r, err := Read(cat, text("known-issues.yaml"), text("waivers.yaml"))
	if err != nil || len(r.Issues) == 0 {
		t.Fatal(err)
	}
	findings, err := os.ReadFile("../../docs/findings.md")
	if err != nil {
		t.Fatal(err)
	}
	// What is known is told to people in the same words, in the chapter that the rule names.
	for _, i := range r.Issues {
		chapter := strings.ReplaceAll(strings.TrimPrefix(i.Tracker, "docs/findings.md#"), "-", " ")
		if !strings.Contains(strings.ToLower(strings.NewReplacer(",", "", "-", " ").Replace(string(findings))), "## "+chapter+"\n") {
			t.Errorf("%s: docs/findings.md has no chapter %q", i.ID.Text, chapter)
		}
	}
}

func TestWhatIsWrongIsToldWithFileAndLine(t *testing.T) {
	for name, tc := range map[string]struct{ issues, waivers, want string }{
		"an unknown key":                {strings.Replace(good, "owner:", "ownr:", 1), "", `known.yaml:10: unknown key "ownr"; did you mean "owner"?`},
		"a check that is not":           {strings.Replace(good, "O-MSAVE", "O-MSAV", 1), "", `known.yaml:5: unknown check "O-MSAV"; did you mean "O-MSAVE"?`},
		"an axis that is not":           {strings.Replace(good, "libvirt:", "librivt:", 1), "", `known.yaml:6: unknown axis "librivt"; did you mean "libvirt"?`},
		"a value that is not":           {strings.Replace(good, `qemu: ">= 11.1"`, "firmware: uefy", 1), "", `known.yaml:6: unknown value of firmware "uefy"; did you mean "uefi"?`},
		"no comparison":                 {strings.Replace(good, `">= 11.1"`, `"11.1"`, 1), "", `known.yaml:6: "11.1" is no comparison`},
		"a range without versions":      {strings.Replace(good, `">= 11.1"`, `">= 11.1, < 10"`, 1), "", `known.yaml:6: no version can be`},
		"no kind of cell":               {strings.Replace(good, `libvirt: "<= 11.3"`, `xen: ">= 4.17"`, 1), "", `known.yaml:6: no kind of cell has all of`},
		"no expression":                 {strings.Replace(good, "migration to", "migration (to", 1), "", `known.yaml:7: error parsing regexp`},
		"what all failures have":        {strings.Replace(good, "migration to a file is not supported", ".*", 1), "", `known.yaml:7: every failure has ".*"`},
		"no text":                       {strings.Replace(good, "  text: migration to a file is not supported\n", "", 1), "", `known.yaml:4: issue restore wants text or lines`},
		"no conditions":                 {strings.Replace(good, `  where: {libvirt: "<= 11.3", qemu: ">= 11.1"}`+"\n", "", 1), "", `known.yaml:4: issue restore lacks checks or where`},
		"no owner":                      {strings.Replace(good, "  owner: virt-sig\n", "", 1), "", `known.yaml:4: issue restore lacks says, tracker, owner or expires`},
		"no link":                       {strings.Replace(good, "docs/findings.md#save", "bug 12", 1), "", `known.yaml:4: the tracker of issue restore is no link`},
		"no day":                        {strings.Replace(good, "2026-05-31", "next week", 1), "", `known.yaml:11: "next week" is no day`},
		"from of what compares nothing": {strings.Replace(good, "  text:", `  from: {qemu: "< 11"}`+"\n  text:", 1), "", `known.yaml:5: O-SAVE compares no versions`},
		"the same name twice":           {good + good, "", `known.yaml:13: issue restore has the name of issue restore in line 4`},
		"the same failure twice":        {good + strings.Replace(good, "id: restore", "id: again", 1), "", `known.yaml:13: issue again overlaps with issue restore in line 4`},
		"two that contradict":           {good + strings.Replace(good, "id: restore", "id: again\n  intermittent: true", 1), "", `known.yaml:13: issue again contradicts (one is intermittent) issue restore`},
		"a waiver of no packages":       {good, strings.Replace(waiver, "{userland-kvm: 0123456789ab}", "{}", 1), `waivers.yaml:4: the waiver lacks`},
		"a waiver of any packages":      {good, strings.Replace(waiver, "0123456789ab", "012", 1), `waivers.yaml:4: the packages of userland-kvm are "012"`},
		"a waiver twice":                {good, waiver + waiver, `waivers.yaml:11: the waiver is about the same failure as that in line 4`},
		"a waiver without an author":    {good, strings.Replace(waiver, "  author: A. Maintainer\n", "", 1), `waivers.yaml:4: the waiver lacks`},
		"a second document":             {good + "---\nversion: 1\n", "", "known.yaml: a second document follows"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := read(t, tc.issues, tc.waivers); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v, want %q", err, tc.want)
			}
		})
	}
}

func TestAllProblemsOfBothFilesAreToldAtOnce(t *testing.T) {
	_, err := read(t, strings.NewReplacer("O-MSAVE", "O-X", "virt-sig", `""`).Replace(good), strings.Replace(waiver, "O-SAVE", "O-Y", 1))
	for _, want := range []string{"known.yaml:4:", "known.yaml:5:", "waivers.yaml:4:"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v lacks %s", err, want)
		}
	}
}

func TestRulesThatCannotMeetDoNotOverlap(t *testing.T) {
	other := strings.NewReplacer("id: restore", "id: older", `"<= 11.3"`, `">= 12"`).Replace(good)
	if _, err := read(t, good+other, ""); err != nil {
		t.Error(err)
	}
}

func TestARuleExpiresWithItsLastDay(t *testing.T) {
	r, err := read(t, good, waiver)
	if err != nil {
		t.Fatal(err)
	}
	for at, want := range map[string]int{
		"2026-01-31T23:59:59Z": 0, "2026-02-01T00:00:00Z": 1, "2026-05-31T23:59:59Z": 1, "2026-06-01T00:00:00Z": 2,
		"2025-05-29T00:00:00Z": 1, // more than a year ahead
	} {
		when, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Dated(when); len(got) != want {
			t.Errorf("at %s: %q, want %d", at, got, want)
		}
	}
}

func TestAFailureIsKnownWholeOrInPart(t *testing.T) {
	lines := strings.NewReplacer("id: restore", "id: lines", "[O-SAVE, O-MSAVE]", "[S-QMP]",
		"text: migration to a file is not supported", `lines: ['value "=[a-z]+" removed']`).Replace(good)
	r, err := read(t, good+lines, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		reason, by string
		fresh      int
	}{
		{"cannot restore: fd: migration to a file is not supported", "restore", 0},
		{"cannot restore: permission denied", "", 1},
		{"differs:\nvalue \"=gluster\" removed\nvalue \"=sheepdog\" removed", "lines", 0},
		{"differs:\nvalue \"=gluster\" removed\ncommand \"x\" removed", "lines", 1},
		{"differs:\nvalue \"=gluster\" removed at 3 places", "", 1}, // a pattern is a whole line
		{"differs:\nvalue \"=gluster\" removed\nand 12 more", "lines", 1},
		{"", "", 1},
	} {
		by, fresh := Explain(tc.reason, []*Issue{&r.Issues[0], &r.Issues[1]})
		name := ""
		if len(by) > 0 {
			name = by[0].ID.Text
		}
		if name != tc.by || len(fresh) != tc.fresh {
			t.Errorf("%q is %q with %q new, want %q with %d", tc.reason, name, fresh, tc.by, tc.fresh)
		}
	}
}
