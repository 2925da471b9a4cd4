package reports

import (
	"encoding/xml"
	"strings"
	"testing"

	"github.com/virtmatrix/virtmatrix/matrix"
)

func TestABadgeHasTheDecisionAndNothingToExecute(t *testing.T) {
	m := judged(matrix.Pass, matrix.Fail, matrix.Pass)
	m.Run.Profile = attack
	d := Gate(m, DefaultPolicy(), noon)
	m.Decision = &d
	text := render(t, "badge", m, Options{})
	if err := xml.Unmarshal([]byte(text), new(struct{})); err != nil {
		t.Errorf("it is no XML: %v", err)
	}
	if !strings.Contains(text, "HOLD · 3 PASS · 1 FAIL") || strings.Contains(text, "<script") {
		t.Errorf("it says %s", text)
	}
	m.Decision = nil
	if text := render(t, "badge", m, Options{}); !strings.Contains(text, "not gated") {
		t.Errorf("without a decision it says %s", text)
	}
}
