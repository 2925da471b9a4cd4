package reports

import (
	"bytes"
	"strings"
	"testing"

	"github.com/virtmatrix/virtmatrix/matrix"
)

func TestARebaseTellsConsumersWhatOfTheirContractsBroke(t *testing.T) {
	for _, row := range []struct {
		was, is matrix.Verdict
		want    string
	}{
		{matrix.Pass, matrix.Pass, "none of 3 rows broke"},
		{matrix.Pass, matrix.Fail, "2 of 3 rows broke: save to a file; restore, paused"},
		{"", matrix.Fail, "2 of 3 rows broke: save to a file; restore, paused"},
		{matrix.Fail, matrix.Fail, "none of 3 rows broke; 2 did not hold before: save to a file; restore, paused"},
		{matrix.Fail, matrix.Pass, "none of 3 rows broke"},
		// What nobody answered says nothing about a contract.
		{matrix.Pass, matrix.Infra, "none of 1 row broke"},
	} {
		r := Compare(side(row.was, nil), side(row.is, nil), "old", "new", nil)
		for _, c := range r.Consumers {
			if got := c.words(); c.Consumer == "vdsm" && got != row.want {
				t.Errorf("%s to %s: %q, not %q", row.was, row.is, got, row.want)
			}
		}
		for format, write := range RebaseFormats {
			var b bytes.Buffer
			if err := write(&b, r, Options{}); err != nil || !strings.Contains(strings.Join(strings.Fields(b.String()), " "), row.want) {
				t.Errorf("%s to %s in %s lacks %q (%v):\n%s", row.was, row.is, format, row.want, err, b.String())
			}
		}
	}
}

func TestAFindingTellsWhomItHits(t *testing.T) {
	m := side(matrix.Fail, nil)
	m.Find()
	const want = "vdsm (save to a file; restore, paused), nova (managedSave)"
	if len(m.Findings) != 1 || m.Findings[0].consumers() != want {
		t.Fatalf("findings %+v, not %q", m.Findings, want)
	}
	for _, format := range []string{"terminal", "md", "html"} {
		if out := render(t, format, m, Options{}); !strings.Contains(strings.Join(strings.Fields(out), " "), want) {
			t.Errorf("%s lacks %q:\n%s", format, want, out)
		}
	}
}
