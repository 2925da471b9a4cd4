package families

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
)

// derived are the files that are made from the registered checks, by their path in the
// checkout.
var derived = map[string]func(io.Writer, []matrix.Check) error{
	"matrix/checks.json": matrix.WriteChecks,
	"docs/checks.md":     matrix.ChecksMarkdown,
}

// checks are those that are registered, in the order of a plan. Measured costs are kept
// from the list that the planner has.
func checks() ([]matrix.Check, error) {
	seconds := map[string]map[string]float64{}
	if cat, err := matrix.Default(); err == nil {
		for _, c := range cat.Checks {
			seconds[c.ID] = c.Seconds
		}
	}
	var list []matrix.Check
	for _, c := range check.All() {
		c.Check.Seconds = seconds[c.ID]
		list = append(list, c.Check)
	}
	return list, matrix.VerifyChecks(list)
}

// Generate writes the files that are made from the registered checks into a checkout.
func Generate(root string) error {
	list, err := checks()
	if err != nil {
		return fmt.Errorf("cannot list checks: %w", err)
	}
	for path, write := range derived {
		var b bytes.Buffer
		if err := write(&b, list); err != nil {
			return err
		}
		file := filepath.Join(root, path)
		if old, err := os.ReadFile(file); err == nil && bytes.Equal(old, b.Bytes()) {
			continue // its time tells make that nothing has changed
		}
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return fmt.Errorf("cannot write %s: %w", path, err)
		}
		if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
			return fmt.Errorf("cannot write %s: %w", path, err)
		}
	}
	return nil
}
