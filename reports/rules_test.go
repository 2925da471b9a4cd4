package reports

import (
	"strings"
	"testing"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/journal"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// failing is a run of one cell in which O-CONN passed and O-SAVE ended so.
func failing(v matrix.Verdict, reason string) *Matrix {
	c := ask(stack(matrix.KVM, matrix.Bundled, "bookworm", "6.12", "10.0", "9.0"), "O-CONN", "O-SAVE")
	p := plan(c)
	save := record(p, c.ID, "O-SAVE", v)
	save.Reason, save.PackageSets = reason, map[string]string{"userland-kvm": "0123456789abcdef"}
	return Judge(p, []journal.Record{record(p, c.ID, "O-CONN", matrix.Pass), save}, nil)
}

const sampleText = "cannot restore: migration stream has <unknown> section"

const sampleWaiver = `
- cell: kvm_linux-6.12_qemu-10.0_libvirt-9.0
  check: O-SAVE
  packages: {userland-kvm: 0123456789ab}
  author: A. Maintainer
  reason: the fix is in the next build
  expires: 2025-12-31
`

func TestWhatARuleMakesOfAResult(t *testing.T) {
	late := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	intermittent := strings.Replace(sampleIssue, "  text:", "  intermittent: true\n  text:", 1)
	elsewhere := strings.Replace(sampleIssue, `"<= 9.0"`, `">= 11.3"`, 1)
	emulated := strings.Replace(sampleIssue, `libvirt: "<= 9.0"`, "l2: tcg", 1)
	for name, tc := range map[string]struct {
		issues, waivers string
		now             time.Time
		was             matrix.Verdict
		reason          string
		want            matrix.Verdict
		code            Code
		told            string
	}{
		"it is the failure":                  {sampleIssue, "", noon, matrix.Fail, sampleText, matrix.Known, Ship, "1 KNOWN (tolerated): O-SAVE"},
		"the failure says something else":    {sampleIssue, "", noon, matrix.Fail, "cannot restore: permission denied", matrix.Fail, Hold, "1 FAIL: O-SAVE"},
		"it is about other versions":         {elsewhere, "", noon, matrix.Fail, sampleText, matrix.Fail, Hold, "1 FAIL: O-SAVE"},
		"it is about another accelerator":    {emulated, "", noon, matrix.Fail, sampleText, matrix.Fail, Hold, "1 FAIL: O-SAVE"},
		"it does not fire":                   {sampleIssue, "", noon, matrix.Pass, "", matrix.Fixed, Hold, "known issue restore-section fires no more: O-SAVE on kvm"},
		"it fires now and then":              {intermittent, "", noon, matrix.Pass, "", matrix.Pass, Ship, "2 checks of 1 cell passed"},
		"it has expired":                     {sampleIssue, "", late, matrix.Fail, sampleText, matrix.Fail, Hold, "known issue restore-section expired on 2026-05-31"},
		"it has expired, and the check held": {sampleIssue, "", late, matrix.Pass, "", matrix.Pass, Hold, "known issue restore-section expired on 2026-05-31"},
		"no answer is none":                  {sampleIssue, "", noon, matrix.Infra, sampleText, matrix.Infra, NoAnswer, "1 INFRA"},
		"it is waived":                       {"", sampleWaiver, noon, matrix.Fail, "any", matrix.Fail, Ship, "1 FAIL (waived): O-SAVE"},
		"the waiver has expired":             {"", sampleWaiver, late, matrix.Fail, "any", matrix.Fail, Hold, "1 FAIL: O-SAVE"},
		"the waiver is of another build":     {"", strings.Replace(sampleWaiver, "0123456789ab", "0123456789ff", 1), noon, matrix.Fail, "any", matrix.Fail, Hold, "1 FAIL: O-SAVE"},
		"the waiver is not needed":           {"", sampleWaiver, noon, matrix.Pass, "", matrix.Pass, Ship, "2 checks"},
		"no answer cannot be waived":         {"", sampleWaiver, noon, matrix.Infra, "any", matrix.Infra, NoAnswer, "1 INFRA"},
	} {
		t.Run(name, func(t *testing.T) {
			m := failing(tc.was, tc.reason)
			m.Apply(ruled(tc.issues, tc.waivers), tc.now)
			d := Gate(m, DefaultPolicy(), tc.now)
			r := m.Result(m.Cells[0].ID, "O-SAVE")
			if r.Verdict != tc.want || d.Code != tc.code || !strings.Contains(strings.Join(d.Reasons, "\n"), tc.told) {
				t.Errorf("%s, %s %q; want %s, %s %q", r.Verdict, d.Code, d.Reasons, tc.want, tc.code, tc.told)
			}
			if m.Totals[tc.want] == 0 {
				t.Errorf("totals %v do not have %s", m.Totals, tc.want)
			}
		})
	}
}

func TestWhatALongListCutsOffIsNotQuiet(t *testing.T) {
	lines := strings.Replace(sampleIssue, "text: migration stream has <unknown> section", `lines: ['value "=a" removed']`, 1)
	for reason, quiet := range map[string]bool{"differs:\nvalue \"=b\" removed": true, "differs:\nvalue \"=b\" removed\nand 12 more": false} {
		m := failing(matrix.Fail, reason)
		m.Apply(rules(lines), noon)
		if got := len(m.Rules[0].Quiet) > 0; got != quiet {
			t.Errorf("%q: quiet %v, want %v", reason, got, quiet)
		}
		if d := Gate(m, DefaultPolicy(), noon); d.Code != Hold {
			t.Errorf("%q: %s", reason, d.Code)
		}
	}
}

func TestWhatIsKnownIsTold(t *testing.T) {
	m := sample()
	const says = "libvirt 9.0 cannot restore what"
	for _, f := range wordy(Options{}) {
		if text := render(t, f.Name, m, Options{}); !strings.Contains(text, says) {
			t.Errorf("%s does not say what is known", f.Name)
		}
	}
	if text := Explain(m, nil, m.Cells[2].ID, "O-SAVE"); !strings.Contains(text, "known         restore-section: "+says) {
		t.Errorf("why does not say what is known:\n%s", text)
	}
	w := failing(matrix.Fail, "any")
	w.Apply(ruled("", sampleWaiver), noon)
	if text := Explain(w, nil, w.Cells[0].ID, "O-SAVE"); !strings.Contains(text, "waived by A. Maintainer until 2025-12-31: the fix is in the next build") {
		t.Errorf("why does not say what is waived:\n%s", text)
	}
}

func TestACellThatShowsAnotherOnesAnswerShowsWhatIsKnownOfIt(t *testing.T) {
	a := ask(stack(matrix.KVM, matrix.Native, "trixie", "6.12", "10.0", "9.0"), "O-CONN", "O-SAVE")
	b := ask(stack(matrix.KVM, matrix.Bundled, "bookworm", "6.1", "10.0", "9.0"), "O-CONN", "O-SAVE")
	b.Checks[1].AskedIn = a.ID
	p := plan(a, b)
	save := record(p, a.ID, "O-SAVE", matrix.Fail)
	save.Reason = sampleText
	m := Judge(p, []journal.Record{record(p, a.ID, "O-CONN", matrix.Pass), record(p, b.ID, "O-CONN", matrix.Pass), save}, nil)
	m.Apply(rules(sampleIssue), noon)
	if r := m.Result(b.ID, "O-SAVE"); r.Verdict != matrix.Known || r.Ruling == "" || m.Totals[matrix.Known] != 1 {
		t.Errorf("%s %q, totals %v", r.Verdict, r.Ruling, m.Totals)
	}
}
