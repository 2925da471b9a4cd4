package runner

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/virtmatrix/virtmatrix/internal/capture"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// comparing is a bench whose cell is compared with an older one. old and now are the
// facts of their images.
func comparing(t *testing.T, old, now []capture.Fact) (*bench, *check.Check) {
	b := newBench(t)
	b.against = "kvm_linux-5.10_qemu-5.2_libvirt-7.0"
	b.run.Plan.Cells = []matrix.Cell{{ID: b.against}}
	b.booter.sets = map[string]capture.Set{
		b.against + " devices": capture.NewSet("devices", "qemu 5.2", old),
		b.Cell.ID + " devices": capture.NewSet("devices", "qemu 7.2", now),
	}
	return b, &check.Check{
		Check:   matrix.Check{Hosts: matrix.Hosts{None: true}},
		Body:    func(t *steps.T) { t.ExpectNothingGone("devices") },
		Control: sabotage.Planted(),
	}
}

func devices(names ...string) (facts []capture.Fact) {
	for _, n := range names {
		facts = append(facts, capture.Fact{Path: n})
	}
	return facts
}

func TestACheckWithoutAHostComparesWhatImagesHold(t *testing.T) {
	b, c := comparing(t, devices("virtio-net", "e1000"), devices("virtio-net", "e1000", "igb"))
	b.wants(b.answerWith(soon(t), "O-SAVE", c), matrix.Pass, "")
	if b.booter.boots != 0 || len(b.booter.places) != 0 {
		t.Errorf("%d hosts were booted in %d places", b.booter.boots, len(b.booter.places))
	}
}

func TestWhatIsGoneIsAFindingWithItsWholeDifference(t *testing.T) {
	b, c := comparing(t, devices("virtio-net", "e1000"), devices("virtio-net"))
	rec := b.answerWith(soon(t), "O-SAVE", c)
	b.wants(rec, matrix.Fail, matrix.LayerManagement, "qemu 7.2 differs from qemu 5.2", `device "e1000" removed`)
	text, err := os.ReadFile(filepath.Join(b.run.Dir, rec.Evidence, "differences.txt"))
	if err != nil || !strings.Contains(string(text), "e1000") {
		t.Errorf("the evidence is %q, %v", text, err)
	}
}

func TestAnImageThatHoldsNothingIsNotCompared(t *testing.T) {
	b, c := comparing(t, devices("e1000"), nil)
	b.wants(b.answerWith(soon(t), "O-SAVE", c), matrix.Infra, matrix.LayerHarness, "qemu 7.2 0")
}

func TestAPlantedRemovalIsFound(t *testing.T) {
	b, c := comparing(t, devices("e1000"), devices("e1000"))
	b.run.Selftest = true
	b.wants(b.answerWith(soon(t), "O-SAVE", c), matrix.Pass, "")
}

func TestAStepThatNeedsAHostIsOurFaultWhereThereIsNone(t *testing.T) {
	b, c := comparing(t, nil, nil)
	c.Body = func(t *steps.T) { t.Sh("true") }
	b.wants(b.answerWith(soon(t), "O-SAVE", c), matrix.Infra, matrix.LayerHarness, "asked for none")
}
