package run

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/virtmatrix/virtmatrix/internal/accel"
	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/matrix/cover"
)

func TestAnEngineIsAskedForOnlyByProfilesWithContainers(t *testing.T) {
	cat, err := matrix.Default()
	if err != nil {
		t.Fatal(err)
	}
	// Whoever asks an engine now learns that nobody waits for its answer.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for profile, asks := range map[string]bool{"smoke": false, "nightly": false, "no such profile": false, "ci": true, "containers": true} {
		req, err := Containable(ctx, cat, matrix.Request{Profile: profile})
		if asked := errors.Is(err, context.Canceled); asked != asks {
			t.Errorf("profile %s: %v", profile, err)
		}
		if req.NoContainers != "" {
			t.Errorf("profile %s: what was called off counts as no engine: %s", profile, req.NoContainers)
		}
	}
}

func TestEmulatedGuestsOfContainersAreNotCountedAsKVM(t *testing.T) {
	both := []matrix.CoveredAxis{{Name: "qemu", Values: []string{"7.2", "10.0"}}, {Name: "accel", Values: []string{"kvm", "tcg"}}}
	for name, tc := range map[string]struct {
		coverage matrix.Coverage
		refused  bool
	}{
		"among those that vary":  {matrix.Coverage{Tier: matrix.Container, Axes: both}, true},
		"the value of a change":  {matrix.Coverage{Tier: matrix.Container, With: cover.Tuple{{Axis: "accel", Level: "kvm"}}, Axes: both[:1]}, true},
		"only emulation":         {matrix.Coverage{Tier: matrix.Container, With: cover.Tuple{{Axis: "accel", Level: "tcg"}}, Axes: both[:1]}, false},
		"whatever L0 has":        {matrix.Coverage{Tier: matrix.Container, Axes: both[:1]}, false},
		"machines of their own":  {matrix.Coverage{Tier: matrix.Nested, Axes: both}, false},
		"machines that stand in": {matrix.Coverage{Tier: matrix.Nested, Instead: matrix.Container, Axes: both}, false},
	} {
		plan := &matrix.Plan{Coverage: []matrix.Coverage{{Tier: matrix.Nested}, tc.coverage}}
		err := countsTruly(plan, accel.Result{Accel: accel.TCG, WhyNotKVM: "there is no /dev/kvm"})
		if v, _ := fault.Classify(err); !tc.refused && err != nil || tc.refused && (v != matrix.Infra || !strings.Contains(err.Error(), "there is no /dev/kvm); plan again")) {
			t.Errorf("%s, emulated: %v", name, err)
		}
		if err := countsTruly(plan, accel.Result{Accel: accel.KVM}); err != nil {
			t.Errorf("%s, with KVM: %v", name, err)
		}
	}
}
