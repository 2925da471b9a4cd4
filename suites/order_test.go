package suites

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
)

// logEnv names the log of cells to the processes of TestOrderOfProcesses.
const logEnv = "VIRTMATRIX_ORDER_TEST"

// inOrder are cells whose order is not that of their names.
var inOrder = strings.Fields("h c g a f b e d")

func TestProcessesTakeCellsInOrder(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, seed := range []string{"--seed=1", "--seed=2"} {
		log := filepath.Join(t.TempDir(), "log")
		cmd := exec.Command("go", "tool", "ginkgo", "run", "--procs=2", "--no-color", seed, self, "--", "-test.run=^TestOrderOfProcesses$")
		cmd.Env = append(os.Environ(), logEnv+"="+log)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		text, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		began := strings.Fields(string(text))
		if !slices.Equal(slices.Sorted(slices.Values(began)), slices.Sorted(slices.Values(inOrder))) {
			t.Fatalf("%s: these cells began: %s", seed, began)
		}
		// A process begins a cell some time after it was handed out. By then the other
		// has begun all that it was handed before but the last, for however long that
		// is held up: one cell of those that come first may be missing.
		for n, id := range began {
			place := slices.Index(inOrder, id)
			missing := slices.DeleteFunc(slices.Clone(inOrder[:place]), func(first string) bool { return slices.Contains(began[:n], first) })
			if len(missing) > 1 {
				t.Errorf("%s: %s began before %s; they are to begin as %s, and began as %s", seed, id, missing, inOrder, began)
			}
		}
	}
}

// TestOrderOfProcesses is what each process of TestProcessesTakeCellsInOrder runs.
func TestOrderOfProcesses(t *testing.T) {
	log := os.Getenv(logEnv)
	if log == "" {
		t.Skip("TestProcessesTakeCellsInOrder runs this")
	}
	gomega.RegisterFailHandler(ginkgo.Fail)
	for i, id := range inOrder {
		ginkgo.Describe(id, turn(i), ginkgo.Ordered, func() {
			ginkgo.It("begins", func() { gomega.Expect(note(log, id)).To(gomega.Succeed()) })
			ginkgo.It("goes on", func() {
				if i == 0 {
					// So that the other process has its share.
					gomega.Eventually(func() (string, error) {
						text, err := os.ReadFile(log)
						return string(text), err
					}, "1m").Should(gomega.ContainSubstring(inOrder[1]))
				}
			})
		})
	}
	ginkgo.RunSpecs(t, "order")
}

func note(log, id string) error {
	f, err := os.OpenFile(log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = fmt.Fprintln(f, id)
	return err
}
