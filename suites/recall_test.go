package suites

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"

	"github.com/virtmatrix/virtmatrix/internal/journal"
	"github.com/virtmatrix/virtmatrix/internal/rundir"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// cachedEnv is the verdict that the cache gives in TestSpecsOfTheCache.
const cachedEnv = "VIRTMATRIX_CACHED_TEST"

func TestAFailureOutOfTheCacheFailsWhenNothingIsLeftToAsk(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for verdict, want := range map[matrix.Verdict]string{matrix.Pass: "1 Passed | 0 Failed", matrix.Fail: "0 Passed | 1 Failed"} {
		cmd := exec.Command(self, "-test.run=^TestSpecsOfTheCache$", "-ginkgo.no-color")
		cmd.Env = append(os.Environ(), cachedEnv+"="+string(verdict))
		out, err := cmd.CombinedOutput()
		if (err == nil) != (verdict == matrix.Pass) || !strings.Contains(string(out), want) {
			t.Errorf("with a %s out of the cache the suites ended with %v, want %q:\n%s", verdict, err, want, out)
		}
	}
}

// TestSpecsOfTheCache is what TestAFailureOutOfTheCacheFailsWhenNothingIsLeftToAsk
// runs: a plan of one check, whose answer is in the cache.
func TestSpecsOfTheCache(t *testing.T) {
	verdict := matrix.Verdict(os.Getenv(cachedEnv))
	if verdict == "" {
		t.Skip("TestAFailureOutOfTheCacheFailsWhenNothingIsLeftToAsk runs this")
	}
	gomega.RegisterFailHandler(ginkgo.Fail)
	plan := &matrix.Plan{Version: matrix.PlanVersion, Profile: "cached", Cells: []matrix.Cell{
		{ID: "kvm_linux-6.1", Checks: []matrix.PlannedCheck{{ID: "IK-BOOT"}, {ID: "IX-PV", Unsupported: "no Xen"}}},
	}}
	dir, err := rundir.New(t.TempDir(), plan.Profile)
	if err != nil {
		t.Fatal(err)
	}
	rec := journal.Ask(plan, &plan.Cells[0], plan.Cells[0].Checks[0])
	rec.Verdict, rec.Cached = verdict, &journal.Cached{Run: "earlier"}
	s := &suite{dir: dir, plan: plan}
	s.recalled([]journal.Record{rec})
	if err := s.ready(t.Context(), nil, 1, nil); err != nil {
		t.Fatal(err)
	}
	if err := s.describeAll(); err != nil {
		t.Fatal(err)
	}
	ginkgo.RunSpecs(t, "cached")
}
