package run

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/virtmatrix/virtmatrix/internal/accel"
	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/matrix/cover"
)

func TestWhereNoEngineAnswersAPlanWithContainersIsRefused(t *testing.T) {
	t.Setenv("DOCKER_HOST", "unix://"+filepath.Join(t.TempDir(), "none.sock"))
	plan := &matrix.Plan{Cells: []matrix.Cell{{Tier: matrix.Nested}}}
	if err := containable(t.Context(), plan); err != nil {
		t.Errorf("machines alone: %v", err)
	}
	plan.Cells = append(plan.Cells, matrix.Cell{Tier: matrix.Container})
	err := containable(t.Context(), plan)
	if v, _ := fault.Classify(err); err == nil || v != matrix.Infra || !strings.Contains(err.Error(), "ci/setup") || !strings.Contains(err.Error(), "-cells") {
		t.Errorf("with a container: %v", err)
	}
}

func TestEmulatedGuestsOfContainersAreNotCountedAsKVM(t *testing.T) {
	both := []matrix.CoveredAxis{{Name: "qemu", Values: []string{"7.2", "10.0"}}, {Name: "accel", Values: []string{"kvm", "tcg"}}}
	for name, tc := range map[string]struct {
		coverage matrix.Coverage
		refused  bool
	}{
		"among those that vary": {matrix.Coverage{Tier: matrix.Container, Axes: both}, true},
		"the value of a change": {matrix.Coverage{Tier: matrix.Container, With: cover.Tuple{{Axis: "accel", Level: "kvm"}}, Axes: both[:1]}, true},
		"only emulation":        {matrix.Coverage{Tier: matrix.Container, With: cover.Tuple{{Axis: "accel", Level: "tcg"}}, Axes: both[:1]}, false},
		"whatever L0 has":       {matrix.Coverage{Tier: matrix.Container, Axes: both[:1]}, false},
		"machines of their own": {matrix.Coverage{Tier: matrix.Nested, Axes: both}, false},
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
