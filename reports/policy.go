package reports

import (
	"cmp"
	_ "embed"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/virtmatrix/virtmatrix/internal/strict"
	"github.com/virtmatrix/virtmatrix/matrix"
)

//go:embed policy.yaml
var defaultPolicy string

// Policy says which verdicts hold a release.
type Policy struct {
	// BlockOn are the verdicts that hold. FAIL is always among them.
	BlockOn Verdicts `yaml:"block_on"`
	// MaxRetried is how many checks may have passed only at a second try; nil
	// is any number.
	MaxRetried *int `yaml:"max_retried"`
	// MaxStalls is how many attempts of a run may have stalled on emulated hosts, those
	// aside that a version explains; nil is any number.
	MaxStalls *int `yaml:"max_stalls"`
	// TolerateStillBroken lets a change ship with failures that its baseline has in the same
	// words, and with what fails in the baseline alone.
	TolerateStillBroken bool `yaml:"tolerate_still_broken"`
	// Baseline says when the runs of a stored baseline are a measure.
	Baseline BaselinePolicy `yaml:"baseline"`
	// Flakes says which checks flake, and which of these may ship.
	Flakes FlakePolicy `yaml:"flakes"`
	// Window is when packages go out.
	Window Window `yaml:"release_window"`
}

// blocks says whether a verdict holds. FAIL does, even without a policy.
func (p Policy) blocks(v matrix.Verdict) bool {
	return v == matrix.Fail || slices.Contains(p.BlockOn, v)
}

// blockable are the verdicts about the product that a policy may hold on.
var blockable = []matrix.Verdict{matrix.Fail, matrix.Blocked, matrix.Fixed, matrix.Known, matrix.Unsupported}

// DefaultPolicy returns the policy that is used when none is given.
func DefaultPolicy() Policy {
	p, err := parsePolicy("policy.yaml", strings.NewReader(defaultPolicy))
	if err != nil {
		panic(err) // The file is part of the program, and a test reads it.
	}
	return p
}

// ReadPolicy reads a policy file. An unknown key or verdict is an error that
// names file, line and the nearest valid name.
func ReadPolicy(path string) (Policy, error) {
	f, err := os.Open(path)
	if err != nil {
		return Policy{}, fmt.Errorf("cannot read policy: %w", err)
	}
	defer f.Close()
	p, err := parsePolicy(path, f)
	if err != nil {
		return Policy{}, fmt.Errorf("cannot read policy: %w", err)
	}
	return p, nil
}

func parsePolicy(file string, r io.Reader) (Policy, error) {
	var p Policy
	if err := strict.Decode(file, r, &p); err != nil {
		return Policy{}, err
	}
	switch {
	case p.BlockOn == nil:
		return Policy{}, fmt.Errorf("%s: the key \"block_on\" is missing", file)
	case !slices.Contains(p.BlockOn, matrix.Fail):
		return Policy{}, fmt.Errorf("%s: block_on lacks FAIL; a policy that ships failures is no gate", file)
	}
	for key, n := range map[string]*int{"max_retried": p.MaxRetried, "max_stalls": p.MaxStalls} {
		if n != nil && *n < 0 {
			return Policy{}, fmt.Errorf("%s: %s is %d, want 0 or more; leave it out for any number", file, key, *n)
		}
	}
	if err := cmp.Or(p.Baseline.check(), p.Flakes.check(), p.Window.check()); err != nil {
		return Policy{}, fmt.Errorf("%s: %w", file, err)
	}
	return p, nil
}

// Verdicts is the list of verdicts in a policy file. Reading it from YAML says
// where in the file a wrong one is.
type Verdicts []matrix.Verdict

// UnmarshalYAML reads a list of the verdicts that a policy may hold on.
func (l *Verdicts) UnmarshalYAML(n ast.Node) error {
	list, ok := n.(*ast.SequenceNode)
	if !ok {
		return strict.Wrong(n, "want a list of verdicts here")
	}
	*l = Verdicts{}
	for _, v := range list.Values {
		word := v.GetToken().Value
		if !slices.Contains(blockable, matrix.Verdict(word)) {
			err := matrix.Unknown("verdict", word, words(blockable))
			if word == string(matrix.Infra) || word == string(matrix.Missing) {
				err = fmt.Errorf("%s is no verdict on the product and always means \"could not judge\"; leave it out", word)
			}
			return strict.Wrong(v, "%v", err)
		}
		*l = append(*l, matrix.Verdict(word))
	}
	return nil
}
