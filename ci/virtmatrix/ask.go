package main

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/rundir"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/reports"
)

// localisedDir and blameDir are where a run's folder has the runs that were made about it.
const localisedDir, blameDir = "localised", "blame"

// asking asks a check about a run in cells that the run may not have: with its packages as
// far as it has them, and as any run is made.
type asking struct {
	*app
	judge
	// dir is the run, and in the folder of the runs about it.
	dir *rundir.Dir
	in  string
	// plans are those that cells and packages are taken from, the first that has them.
	plans    []*matrix.Plan
	cat      *matrix.Catalog
	fresh    bool
	parallel int
}

func (a *app) asking(j judge, d *rundir.Dir, in string, parallel int) (*asking, error) {
	plan, err := d.ReadPlan()
	if err != nil {
		return nil, err
	}
	cat, err := a.catalog()
	if err == nil && plan.Candidate != nil {
		cat, err = cat.Laying(plan.Candidate)
	}
	return &asking{app: a, judge: j, dir: d, in: in, plans: []*matrix.Plan{plan}, cat: cat, parallel: parallel}, err
}

// cell is a cell of one of the plans.
func (q *asking) cell(id string) *matrix.Cell {
	for _, p := range q.plans {
		if c := p.Cell(id); c != nil {
			return c
		}
	}
	return nil
}

// plan plans a check in cells. Those that cannot be are told and left out; there is no plan
// where none can.
func (q *asking) plan(check string, cells []matrix.Cell) (plan *matrix.Plan, refused []string, err error) {
	if plan, err = q.resolve(check, cells); err == nil || q.ctx.Err() != nil {
		return plan, nil, err
	}
	var can []matrix.Cell
	for _, cell := range cells {
		if len(cells) > 1 {
			_, err = q.resolve(check, []matrix.Cell{cell})
		}
		if err == nil {
			can = append(can, cell)
			continue
		}
		fmt.Fprintf(q.stderr, "%s cannot be: %v\n", cell.ID, err)
		refused = append(refused, cell.ID)
	}
	if len(can) == 0 {
		return nil, refused, nil
	}
	plan, err = q.resolve(check, can)
	return plan, refused, err
}

func (q *asking) resolve(check string, cells []matrix.Cell) (*matrix.Plan, error) {
	d, err := q.driver(nil)
	if err != nil {
		return nil, err
	}
	req := matrix.Request{Profile: q.in, Checks: []string{check}, Everywhere: true, Candidate: q.plans[0].Candidate}
	plan, err := d.Plan(q.ctx, q.cat.Having(q.in, cells), req)
	if err != nil {
		return nil, err
	}
	for i := range plan.Cells {
		c := &plan.Cells[i]
		c.Why = []string{"asked by virtmatrix " + q.in}
		for _, p := range c.Checks {
			if p.ID == check && !p.Asked() {
				return nil, fmt.Errorf("%s cannot be asked of %s: %s", check, c.ID, p.Unsupported)
			}
		}
	}
	for _, p := range slices.Backward(q.plans) {
		plan.As(p)
	}
	return plan, plan.Seal()
}

// answers runs a plan and judges it.
func (q *asking) answers(plan *matrix.Plan) (*reports.Matrix, error) {
	into := *q.app
	into.Runs = q.dir.Path(q.in)
	r := &runner{app: &into, plan: plan, began: time.Now(), options: rundir.Options{Fresh: q.Fresh || q.fresh}, parallel: q.parallel}
	if err := r.collect(); err != nil {
		return nil, err
	}
	m, err := q.run(r.dir)
	if err != nil {
		return nil, err
	}
	if err := q.ctx.Err(); err != nil || r.cut == stoppedSuites {
		return nil, errors.Join(err, errors.New("stopped; what was answered is in "+short(r.dir.Path())))
	}
	return m, nil
}
