package reports

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/journal"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// MatrixVersion is the format of matrix.json. Another version is refused.
const MatrixVersion = 6

// Matrix is a judged run: one result for each planned check of each cell.
type Matrix struct {
	Version int    `json:"version"`
	Run     Run    `json:"run"`
	Cells   []Cell `json:"cells"`
	// Change and Coverage are the plan's.
	Change   *matrix.Change    `json:"change,omitempty"`
	Coverage []matrix.Coverage `json:"coverage,omitempty"`
	// Totals counts the results by verdict, each answer once.
	Totals map[matrix.Verdict]int `json:"totals"`
	// Results are in the order of the plan: cell by cell, check by check.
	Results []Result `json:"results"`
	// Stray are records that answer no question of the plan.
	Stray []Stray `json:"stray,omitempty"`
	// Damage are the lines of the journal that could not be read.
	Damage journal.Damage `json:"damage,omitempty"`
	// PackageSets are the plan's, by key: what the verdicts are about.
	PackageSets map[string]matrix.PackageSet `json:"package_sets,omitempty"`
	// Rebase is the run held against its baseline; nil when it has none.
	Rebase *Rebase `json:"rebase,omitempty"`
	// Findings are the failures by cause.
	Findings []Finding `json:"findings,omitempty"`
	// Rules are the known issues that are about what was asked.
	Rules []Rule `json:"rules,omitempty"`
	// Decision is what Gate said; nil before it was asked.
	Decision *Decision `json:"decision,omitempty"`
}

// Run says which run was judged and how it was made.
type Run struct {
	Profile string `json:"profile"`
	// Plan is the hash of the plan.
	Plan string `json:"plan"`
	// Shard is the part of a plan that it is, if it is none of a whole one: "3/8".
	Shard string `json:"shard,omitempty"`
	// Harness holds the revisions of virtmatrix that gave answers. More than
	// one means that a run was continued with another harness.
	Harness []string `json:"harness,omitempty"`
	// Started is the begin of the first check, Finished the end of the last.
	Started  time.Time `json:"started,omitzero"`
	Finished time.Time `json:"finished,omitzero"`
	// WallSeconds is the time between them. The command that ran the plan may
	// replace it by its own measure, which includes planning and building.
	WallSeconds float64 `json:"wall_seconds"`
	// GuestSeconds is the sum of what all checks spent waiting for L1 or L2.
	GuestSeconds float64 `json:"guest_seconds"`
	// Accelerators that were seen, by layer: {"L1": ["tcg"], "L2": ["kvm"]}.
	Accelerators map[string][]string `json:"accelerators,omitempty"`
	// Emulators are the L0 emulators that ran L1, with their versions.
	Emulators []string `json:"emulators,omitempty"`
	// Notes are what the run told of itself as a whole.
	Notes []string `json:"notes,omitempty"`
}

// Cell is one column: a stack of the plan.
type Cell struct {
	ID          string             `json:"id"`
	Kind        matrix.Kind        `json:"kind"`
	Tier        matrix.Tier        `json:"tier"`
	Composition matrix.Composition `json:"composition"`
	Stack       []matrix.Choice    `json:"stack"`
	Settings    []matrix.Setting   `json:"settings,omitempty"`
	// Why says why the plan has the cell; Baseline is the cell that it is judged
	// against when the plan is of a change.
	Why      []string          `json:"why,omitempty"`
	Baseline string            `json:"baseline,omitempty"`
	Images   []matrix.ImageRef `json:"images,omitempty"`
}

// Result is the verdict on one check of one cell.
type Result struct {
	Cell    string         `json:"cell"`
	Check   string         `json:"check"`
	Family  string         `json:"family,omitempty"`
	Tier    matrix.Tier    `json:"tier"`
	Verdict matrix.Verdict `json:"verdict"`
	// AskedIn is the cell whose result this is, because everything that the answer
	// depends on is the same there; empty when it is the cell's own. It counts
	// there, and the record is there.
	AskedIn string `json:"asked_in,omitempty"`
	// Against is the cell whose version it compares its own with.
	Against string `json:"against,omitempty"`
	// Reason says in words why the verdict is not PASS.
	Reason string `json:"reason,omitempty"`
	// Earlier are the verdicts of older records for the same question, oldest
	// first. The newest record is the answer.
	Earlier []matrix.Verdict `json:"earlier,omitempty"`
	// Trials are the attempts of all its records on hosts that L0 emulates.
	Trials Trials `json:"trials,omitzero"`
	// Known are the known issues that it is, in part if its verdict is FAIL, or that it
	// shows to be fixed. Ruling says in words what is known of it, and Waived that it may ship.
	Known  []string `json:"known,omitempty"`
	Ruling string   `json:"ruling,omitempty"`
	Waived bool     `json:"waived,omitempty"`
	// Rate is how often the same question was answered in earlier runs, as far as they were
	// looked at. Quarantined says that it is a flake that may ship.
	Rate Rate `json:"rate,omitzero"`
	// Trail is how earlier runs answered the question of a failure.
	Trail       Trail `json:"trail,omitempty"`
	Quarantined bool  `json:"quarantined,omitempty"`
	// Record is the answer; nil when there is none, or it is another cell's.
	Record *journal.Record `json:"record,omitempty"`
	// delivers says that it is about how the packages of the cell's baseline become its own.
	delivers bool
	// depends are the axes that its answer depends on; nil for all.
	depends []string
	// relied is who relies on what its check asserts.
	relied []matrix.Reliance
}

// Retried says whether the check passed, but not at the first try.
func (r *Result) Retried() bool {
	return r.Verdict == matrix.Pass && r.Record != nil && (r.Record.Attempts > 1 || len(r.Earlier) > 0)
}

// shown writes the verdict, and where it was asked if that is not its cell: "PASS,
// asked in CELL".
func (r *Result) shown() string {
	if r.AskedIn == "" {
		return string(r.Verdict)
	}
	return fmt.Sprintf("%s, asked in %s", r.Verdict, oneline(r.AskedIn, 200))
}

// Cached tells where an answer out of the cache comes from; nil when the run gave
// it.
func (r *Result) Cached() *journal.Cached {
	if r.Record == nil {
		return nil
	}
	return r.Record.Cached
}

// Layer is where it failed, or "" when it did not or nobody knows.
func (r *Result) Layer() matrix.Layer {
	if r.Record == nil {
		return ""
	}
	return r.Record.Layer
}

// Stray is a record that the plan did not ask for.
type Stray struct {
	Cell    string         `json:"cell"`
	Check   string         `json:"check"`
	Verdict matrix.Verdict `json:"verdict"`
	// Problem says why it is no answer to the plan.
	Problem string `json:"problem"`
}

// Result returns the result of a check on a cell, or nil when it is not in the
// matrix.
func (m *Matrix) Result(cell, check string) *Result {
	for i := range m.Results {
		if r := &m.Results[i]; r.Cell == cell && r.Check == check {
			return r
		}
	}
	return nil
}

// index finds the results.
func (m *Matrix) index() map[question]*Result {
	results := map[question]*Result{}
	for i := range m.Results {
		r := &m.Results[i]
		results[question{r.Cell, r.Check}] = r
	}
	return results
}

// own returns the result that a result shows: that of the cell that was asked.
func (m *Matrix) own(r *Result) *Result {
	if r.AskedIn == "" {
		return r
	}
	return m.Result(r.AskedIn, r.Check)
}

// Cell returns the cell with the given identity, or nil.
func (m *Matrix) Cell(id string) *Cell {
	for i := range m.Cells {
		if m.Cells[i].ID == id {
			return &m.Cells[i]
		}
	}
	return nil
}

// Count makes Totals agree with Results. Whoever changes a verdict calls it.
func (m *Matrix) Count() { m.Totals = count(m.Results) }

func count(results []Result) map[matrix.Verdict]int {
	totals := map[matrix.Verdict]int{}
	for i := range results {
		if results[i].AskedIn == "" {
			totals[results[i].Verdict]++
		}
	}
	return totals
}

// ReadMatrix reads a stored matrix.json. An unknown key, another format, an
// unknown verdict and totals that do not agree with the results are errors.
func ReadMatrix(path string) (*Matrix, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read matrix: %w", err)
	}
	m, err := decodeMatrix(data)
	if err != nil {
		return nil, fmt.Errorf("cannot read matrix %s: %w", path, err)
	}
	return m, nil
}

func decodeMatrix(data []byte) (*Matrix, error) {
	var head struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, atLine(data, err)
	}
	if head.Version != MatrixVersion {
		return nil, fmt.Errorf("it has format %d, this virtmatrix reads format %d; judge the run again", head.Version, MatrixVersion)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	m := new(Matrix)
	if err := dec.Decode(m); err != nil {
		return nil, atLine(data, err)
	}
	return m, m.check()
}

// atLine adds the line to an error that knows its offset.
func atLine(data []byte, err error) error {
	var offset int64
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		offset = syntax.Offset
	case errors.As(err, &kind):
		offset = kind.Offset
	default:
		return err
	}
	line := 1 + bytes.Count(data[:min(offset, int64(len(data)))], []byte("\n"))
	return fmt.Errorf("line %d: %w", line, err)
}

// check holds what no decoder sees: the words and the sums.
func (m *Matrix) check() error {
	results := m.index()
	for i := range m.Results {
		r := &m.Results[i]
		if !slices.Contains(matrix.Verdicts, r.Verdict) {
			return fmt.Errorf("%s of %s: %w", r.Check, r.Cell, matrix.Unknown("verdict", string(r.Verdict), words(matrix.Verdicts)))
		}
		if own := results[question{r.AskedIn, r.Check}]; r.AskedIn != "" && (own == nil || own.AskedIn != "" || own.Verdict != r.Verdict) {
			return fmt.Errorf("%s of %s is answered in %q, which has no such result; judge the run again", r.Check, r.Cell, r.AskedIn)
		}
		if r.Verdict == matrix.Pass && r.Record == nil && r.AskedIn == "" {
			return fmt.Errorf("%s of %s is PASS without a record; judge the run again", r.Check, r.Cell)
		}
		if m.Cell(r.Cell) == nil {
			return fmt.Errorf("%s: %w", r.Check, matrix.Unknown("cell", r.Cell, m.cellIDs()))
		}
	}
	if d := m.Decision; d != nil && (len(d.Reasons) == 0 || d.Code < Ship || d.Code > NoAnswer) {
		return errors.New("its decision has no reason or no exit code of ours; gate it again")
	}
	if !maps.Equal(m.Totals, count(m.Results)) {
		return errors.New("its totals do not agree with its results; it was edited, judge the run again")
	}
	return nil
}

func (m *Matrix) cellIDs() []string {
	ids := make([]string, len(m.Cells))
	for i := range m.Cells {
		ids[i] = m.Cells[i].ID
	}
	return ids
}

func words[T ~string](list []T) []string {
	out := make([]string, len(list))
	for i, w := range list {
		out[i] = string(w)
	}
	return out
}

// writeJSON writes the matrix as it is stored: what ReadMatrix reads. Control
// and invisible characters are written as escapes, so that the file is safe to
// look at in a terminal and still holds every one of them.
func writeJSON(w io.Writer, m *Matrix) error {
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return fmt.Errorf("cannot render matrix: %w", err)
	}
	var out bytes.Buffer
	for _, r := range string(data) {
		if r == '\n' || printable(r) {
			out.WriteRune(r)
			continue
		}
		jsonEscape(&out, r)
	}
	out.WriteByte('\n')
	_, err = w.Write(out.Bytes())
	return err
}
