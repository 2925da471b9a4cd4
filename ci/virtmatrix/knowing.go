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
				m := reports.Judge(r.plan, records, damage)
				m.Apply(r.by.rules, r.by.at)
				if result := m.Result(e.Cell, e.Check); result != nil && result.Verdict == matrix.Known {
					e.Verdict, e.Text = matrix.Known, strings.Join(result.Known, ", ")
				}
			}
		}
		sink(e)
	}
}
