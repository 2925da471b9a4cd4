package main

import (
	"testing"

	"github.com/virtmatrix/virtmatrix/internal/rundir"
)

func TestARunGoesOnAsItWasBegun(t *testing.T) {
	for name, tc := range map[string]struct{ begun, now, want rundir.Options }{
		"a plain run":                {},
		"all is asked":               {begun: rundir.Options{Fresh: true}, want: rundir.Options{Fresh: true}},
		"all is asked from here on":  {now: rundir.Options{Fresh: true}, want: rundir.Options{Fresh: true}},
		"one check, repeated":        {begun: rundir.Options{Fresh: true, Keep: true}, want: rundir.Options{Fresh: true, Keep: true}},
		"evidence is kept, from now": {begun: rundir.Options{Fresh: true}, now: rundir.Options{Keep: true}, want: rundir.Options{Fresh: true, Keep: true}},
	} {
		a := &app{globals: globals{Runs: t.TempDir()}}
		first := &runner{app: a, plan: samplePlan(t), options: tc.begun}
		if err := first.open(); err != nil {
			t.Fatal(err)
		}
		next := &runner{app: a, options: tc.now}
		if err := (&runVerb{Resume: rundir.Latest}).prepare(next); err != nil {
			t.Fatal(err)
		}
		if err := next.open(); err != nil || next.options != tc.want {
			t.Errorf("%s: it goes on with %+v, %v; want %+v", name, next.options, err, tc.want)
		}
	}
}
