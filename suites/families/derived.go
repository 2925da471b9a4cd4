package families

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"

	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/outbound/contracts"
)

// listed is the planner's list in a checkout.
const listed = "matrix/checks.json"

// derived are the files that are made from the registered checks, by their path in the
// checkout.
var derived = map[string]func(io.Writer, []matrix.Check) error{
	listed:           matrix.WriteChecks,
	"docs/checks.md": matrix.ChecksMarkdown,
	// Which checks assert which row of what consumers rely on.
	"docs/vdsm-contract.md": contracts.Markdown,
}

// checks are those that are registered, in the order of a plan. They cost what was
// measured, or else what the planner's list in a checkout says. That need not be a list that
// can be planned with: a profile may name a check that it lacks yet.
func checks(root string, measured Costs) ([]matrix.Check, error) {
	text, err := os.ReadFile(filepath.Join(root, listed))
	if err != nil {
		return nil, err
	}
	var before []struct {
		ID      string
		Seconds map[matrix.Tier]float64
	}
	if err := json.Unmarshal(text, &before); err != nil {
		return nil, fmt.Errorf("%s: %w; take it from the last commit", listed, err)
	}
	costs := Costs{}
	for _, c := range before {
		costs[c.ID] = c.Seconds
	}
	var list []matrix.Check
	for _, c := range check.All() {
		c.Check.Seconds = map[matrix.Tier]float64{}
		maps.Copy(c.Check.Seconds, costs[c.ID])
		maps.Copy(c.Check.Seconds, measured[c.ID])
		c.Check.Relied = contracts.Relied(c.ID)
		list = append(list, c.Check)
	}
	return list, matrix.VerifyChecks(list)
}

// Generate writes the files that are made from the registered checks, and from what
// they were measured to cost, into a checkout.
func Generate(root string, measured Costs) error {
	list, err := checks(root, measured)
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
