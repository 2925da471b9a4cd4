package runner

import (
	"context"
	"strings"

	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// giveBack looks at what a check that holds left on its hosts. That is a mistake of the
// check and no word about the product: it is noted, and the hosts end with it, because
// the next check would meet it there. What packages brought is nobody's fault; a host that
// has nothing but their files more is the next check's that is to have them.
func (a *attempt) giveBack(ctx context.Context, t *steps.T) {
	if a.planned.Hosts.Moves != "" {
		a.Discard()
		return
	}
	left, err := t.Left(ctx)
	switch above := len(a.planned.Hosts.AddOns) > 0; {
	case above && (err != nil || len(left) > 0):
		if err != nil {
			left = []string{err.Error()}
		}
		a.notes = append(a.notes, "its host is no other check's, because of "+strings.Join(left, "; "))
	case err != nil:
		a.notes = append(a.notes, err.Error())
	case len(left) > 0:
		a.notes = append(a.notes, "the check left this on its hosts, which is its fault: "+strings.Join(left, "; "))
	default:
		return
	}
	a.Discard()
}
