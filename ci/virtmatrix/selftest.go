package main

import (
	"cmp"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/rundir"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// selftestProfile is the profile whose cells are the cheapest for each control.
const selftestProfile = "selftest"

type selftestVerb struct {
	selection
	ruling
	Parallel int  `placeholder:"N" help:"Run N families side by side (as many as fit on the machine)."`
	Gate     bool `help:"Does the judge see what it exists to see? Plants faults into runs and judges them; boots nothing."`
}

// Help is what virtmatrix selftest --help says beyond the flags.
func (*selftestVerb) Help() string {
	return `Each check has a control that makes the product misbehave in one way that the check exists to see: a call that does nothing, a wrong error number, a guest that forgets. Here each check runs under its control, on a pristine host: PASS means that it failed as it must, in the layer that it speaks about; FAIL that it saw nothing; INFRA that the control had no effect. The answers are about the checks, and are kept nowhere but in the run.

Examples:
  virtmatrix selftest                          # every check, on the cheapest tier
  virtmatrix selftest -cells container         # in minutes: what needs no machine
  virtmatrix selftest -checks O-RESET
  virtmatrix selftest -gate                    # in seconds: each fault that a run may have, its verdict, layer and exit code`
}

// Run runs every check under its control and judges.
func (v *selftestVerb) Run(a *app) error {
	if v.Gate {
		return a.testGate()
	}
	if _, err := v.ruling.read(a); err != nil {
		return err
	}
	v.Profile = cmp.Or(v.Profile, selftestProfile)
	v.Isolation = cmp.Or(v.Isolation, string(matrix.IsolateCheck)) // a host ends with its control
	r := &runner{app: a, began: time.Now(), options: rundir.Options{Fresh: true, Selftest: true}, parallel: v.Parallel}
	var err error
	if r.plan, err = r.planned("", v.selection); err != nil {
		return err
	}
	return r.execute(v.ruling)
}
