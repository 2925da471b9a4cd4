package run

import (
	"context"

	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/internal/accel"
	"github.com/virtmatrix/virtmatrix/internal/container"
	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// Engine is what makes the containers of a plan, in words. It is empty when no
// cell is one, or when no engine answers: then each boot says why.
func Engine(ctx context.Context, plan *matrix.Plan) string {
	if !plan.Has(matrix.Container) {
		return ""
	}
	engine, _ := container.Probe(ctx)
	return engine
}

// containable refuses a plan with containers where no engine answers.
func containable(ctx context.Context, plan *matrix.Plan) error {
	if !plan.Has(matrix.Container) {
		return nil
	}
	if _, err := container.Probe(ctx); err != nil {
		return fault.Infraf("run cells in containers", "%w, or leave them out (-cells)", err)
	}
	return nil
}

// countsTruly refuses a plan that was made for another machine, or before anybody
// knew that KVM does not work here: its covers count guests of containers under KVM,
// and here they are emulated.
func countsTruly(plan *matrix.Plan, l0 accel.Result) error {
	if l0.Accel == accel.KVM {
		return nil
	}
	for _, c := range plan.Coverage {
		if c.Tier == matrix.Container && c.Counts(domain.Accel, accel.KVM) {
			return fault.Infraf("run this plan", "it counts guests of containers under KVM, and L0 has none (%s); plan again", l0.WhyNotKVM)
		}
	}
	return nil
}
