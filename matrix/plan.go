package matrix

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// PlanVersion is the format of plan.json. A plan of another version is refused.
const PlanVersion = 3

// Plan is the frozen list of cells and checks that a run must answer. It is
// content-addressed: Hash covers everything else in it.
type Plan struct {
	Version int    `json:"version"`
	Profile string `json:"profile"`
	// Cells are in the order in which they are run.
	Cells []Cell `json:"cells"`
	// Change is what the plan is about; nil unless a change was named.
	Change *Change `json:"change,omitempty"`
	// Candidate is what the change brings that no release has; nil if there is none.
	Candidate *Candidate `json:"candidate,omitempty"`
	// Shard says which part of which plan it is; nil for a whole one.
	Shard *Shard `json:"shard,omitempty"`
	// Coverage says for each kind whose cells were generated what they cover.
	Coverage []Coverage `json:"coverage,omitempty"`
	// Emulator is the image of the L0 emulator that runs every L1.
	Emulator ImageRef `json:"emulator,omitzero"`
	// PackageSets holds the exact packages of every image, by key.
	PackageSets map[string]PackageSet `json:"package_sets,omitempty"`
	Hash        string                `json:"hash"`
}

// Seal computes the plan's hash and stores it.
func (p *Plan) Seal() error {
	h, err := p.digest()
	if err != nil {
		return err
	}
	p.Hash = h
	return nil
}

// Verify says whether the plan is of our version and still what was sealed.
func (p *Plan) Verify() error {
	if p.Version != PlanVersion {
		return fmt.Errorf("cannot use plan: it has format %d, this virtmatrix reads format %d; plan again", p.Version, PlanVersion)
	}
	h, err := p.digest()
	if err != nil {
		return err
	}
	if h != p.Hash {
		return fmt.Errorf("cannot use plan: its content has the hash %.12s, but it was sealed as %.12s; it was edited after planning, plan again", h, p.Hash)
	}
	return nil
}

func (p *Plan) digest() (string, error) {
	c := *p
	c.Hash = ""
	b, err := json.Marshal(&c)
	if err != nil {
		return "", fmt.Errorf("cannot seal plan: %w", err)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}

// Cell returns the cell with the given identity, or nil.
func (p *Plan) Cell(id string) *Cell {
	for i := range p.Cells {
		if p.Cells[i].ID == id {
			return &p.Cells[i]
		}
	}
	return nil
}

// Has says whether some of the plan's hosts are of the tier.
func (p *Plan) Has(tier Tier) bool {
	return slices.ContainsFunc(p.Cells, func(c Cell) bool { return c.Tier == tier })
}

// Write writes the plan as indented JSON.
func (p *Plan) Write(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	if err := e.Encode(p); err != nil {
		return fmt.Errorf("cannot write plan: %w", err)
	}
	return nil
}

// ReadPlan reads a sealed plan and verifies it. An unknown key, anything after
// the plan, and a plan that was edited since it was sealed are errors.
func ReadPlan(r io.Reader) (*Plan, error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("cannot read plan: %w", err)
	}
	// Another format has other keys.
	var head struct{ Version int }
	if json.Unmarshal(text, &head) == nil && head.Version != PlanVersion {
		return nil, (&Plan{Version: head.Version}).Verify()
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	var p Plan
	if err := d.Decode(&p); err != nil {
		return nil, fmt.Errorf("cannot read plan: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("cannot read plan: something follows after its end")
	}
	if err := p.Verify(); err != nil {
		return nil, err
	}
	return &p, nil
}
