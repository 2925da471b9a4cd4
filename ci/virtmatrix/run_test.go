package main

import (
	"testing"

	"github.com/virtmatrix/virtmatrix/internal/rundir"
)

func TestARunGoesOnAsItWasBegun(t *testing.T) {
	for name, tc := range map[string]struct{ begun, now, want rundir.Wish }{
		"a plain run":                {},
		"all is asked":               {begun: rundir.Wish{Fresh: true}, want: rundir.Wish{Fresh: true}},
		"all is asked from here on":  {now: rundir.Wish{Fresh: true}, want: rundir.Wish{Fresh: true}},
		"one check, repeated":        {begun: rundir.Wish{Fresh: true, Keep: true}, want: rundir.Wish{Fresh: true, Keep: true}},
		"evidence is kept, from now": {begun: rundir.Wish{Fresh: true}, now: rundir.Wish{Keep: true}, want: rundir.Wish{Fresh: true, Keep: true}},
	} {
		a := &app{globals: globals{Runs: t.TempDir()}}
		first := &runner{app: a, plan: samplePlan(t), wish: tc.begun}
		if err := first.open(); err != nil {
			t.Fatal(err)
		}
		next := &runner{app: a, wish: tc.now}
		if err := (&runVerb{Resume: rundir.Latest}).prepare(next); err != nil {
			t.Fatal(err)
		}
		if err := next.open(); err != nil || next.wish != tc.want {
			t.Errorf("%s: it goes on with %+v, %v; want %+v", name, next.wish, err, tc.want)
		}
	}
}
