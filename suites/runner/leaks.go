package runner

import (
	"context"
	"strings"

	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// wayBack undoes what a check that holds did. What is left on its hosts then is the
// check's fault, which is ours: the next one would meet it. The hosts end with it.
func wayBack(ctx context.Context, t *steps.T) error {
	if err := t.WayBack(); err != nil {
		return err
	}
	left, err := t.Left(ctx)
	if err == nil && len(left) > 0 {
		err = fault.Infraf("give the hosts back as they were", "the check left there:\n%s", strings.Join(left, "\n"))
	}
	return err
}
