package steps

import (
	"errors"
	"strings"
	"testing"

	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/hosttest"
	"github.com/virtmatrix/virtmatrix/matrix"
)

func TestWhatIsKeptOfADocument(t *testing.T) {
	const base = "<d><vcpu>1</vcpu><dev><disk/></dev></d>"
	const sent = "<d><vcpu>1</vcpu><pin cpu='0' to='1'/><dev><disk/><disk/></dev></d>"
	attempt := New(t.Context(), Env{Cell: &matrix.Cell{Kind: matrix.KVM}, Scale: 1}, NewSession(hosttest.New(t, t.TempDir())))
	for kept, lost := range map[string]string{
		sent: "",
		"<d id='7'><dev><disk a='b'></disk><serial/><disk/></dev><pin to='1' cpu='0' x='y'/></d>": "",
		"<d><vcpu>1</vcpu><pin cpu='0' to='2'/><dev><disk/><disk/></dev></d>":                     "/d/pin/@to=1",
		"<d><vcpu>1</vcpu><pin cpu='0' to='1'/><dev/></d>":                                        "/d/dev/disk",
	} {
		err := caught(func() { attempt.ExpectKept("it", base, sent, kept) })
		var product *fault.Product
		if (err != nil) != (lost != "") || err != nil && (!errors.As(err, &product) || !strings.HasSuffix(err.Error(), "\n"+lost)) {
			t.Errorf("%s: %v, want %q to be lost", kept, err, lost)
		}
	}
	if err := caught(func() { attempt.ExpectKept("it", base, sent, "<d") }); err == nil || errors.As(err, new(*fault.Product)) {
		t.Errorf("half a document: %v", err)
	}
}
