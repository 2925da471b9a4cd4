package run

import (
	"context"

	"github.com/virtmatrix/virtmatrix/matrix"
)

// LeftOut lists the stacks that a plan made of the request does not have, and
// why: what the packages themselves state is among the reasons.
func (d *Driver) LeftOut(ctx context.Context, cat *matrix.Catalog, req matrix.Request, plan *matrix.Plan) ([]matrix.LeftOutCell, error) {
	cat, err := laid(cat, plan)
	if err != nil {
		return nil, err
	}
	sources, err := d.sources(ctx, cat)
	if err != nil {
		return nil, err
	}
	if cat, err = d.derive(ctx, cat, req, sources); err != nil {
		return nil, err
	}
	return matrix.LeftOut(cat, plan)
}
