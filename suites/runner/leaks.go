package runner

import (
	"context"
	"strings"

	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// giveBack looks at what a check that holds left on its hosts. That is a mistake of the
// check and no word about the product: it is noted, and the hosts end with it, because
// the next check would meet it there.
func (a *attempt) giveBack(ctx context.Context, t *steps.T) {
	if h := a.planned.Hosts; h.Moves != "" || len(h.AddOns) > 0 { // what packages brought is nobody's fault, and no other check's host
		a.Discard()
		return
	}
	left, err := t.Left(ctx)
	switch {
	case err != nil:
		a.notes = append(a.notes, err.Error())
	case len(left) > 0:
		a.notes = append(a.notes, "the check left this on its hosts, which is its fault: "+strings.Join(left, "; "))
	default:
		return
	}
	a.Discard()
}
