package main

import (
	"strings"

	"github.com/virtmatrix/virtmatrix/internal/progress"
	"github.com/virtmatrix/virtmatrix/internal/run"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/reports"
)

// knowing tells of each failure that comes whether it is known: whoever watches looks at
// what is new. Its answer is in the journal already.
func (r *runner) knowing(sink progress.Sink) progress.Sink {
	if r.by == nil {
		return sink
	}
	return func(e progress.Event) {
		if e.Phase == progress.Finished && e.Verdict == matrix.Fail {
			if records, damage, err := run.Answers(r.dir); err == nil {
				if rules := r.by.explain(reports.Judge(r.plan, records, damage), e.Cell, e.Check); len(rules) > 0 {
					e.Verdict, e.Text = matrix.Known, strings.Join(rules, ", ")
				}
			}
		}
		sink(e)
	}
}

// explain names the rules by which the answer of a cell to a check is known; none if it is
// not. It applies all rules to the matrix.
func (j *judge) explain(m *reports.Matrix, cell, check string) []string {
	m.Apply(j.rules, j.at)
	if result := m.Result(cell, check); result != nil && result.Verdict == matrix.Known {
		return result.Known
	}
	return nil
}
