package main

import (
	"fmt"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/run"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// showEstimate tells how long a run of the plan may take on this machine.
func (a *app) showEstimate(p *matrix.Plan) error {
	cat, err := a.catalog()
	if err != nil {
		return err
	}
	fit, err := run.Fits(a.ctx, a.Runtime, p.Cells...)
	if err != nil {
		return fmt.Errorf("cannot tell how many cells fit here: %w", err)
	}
	e := cat.Estimate(p)
	side := max(1, min(fit.Number(), e.Families))
	text := fmt.Sprintf("estimate: %s, checks %s and hosts %s, %d side by side",
		hours((e.Checks+e.Hosts)/time.Duration(side)), hours(e.Checks), hours(e.Hosts), side)
	if e.Unmeasured > 0 {
		text += fmt.Sprintf("; %s without a measure count as the others do in the median", number(e.Unmeasured, "check"))
	}
	_, err = fmt.Fprintln(a.stdout, text)
	return err
}

func hours(d time.Duration) string { return fmt.Sprintf("%.2f hours", d.Hours()) }
