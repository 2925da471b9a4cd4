package matrix

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
)

// Check is one named behaviour, as the suites registered it. Its body is in the
// suites; this is what planning and reporting need to know of it.
type Check struct {
	// ID is stable: it names the spec, the report's row and the selector.
	ID string `json:"id"`
	// Asserts is the behaviour in one sentence.
	Asserts string `json:"asserts"`
	// Family is the folder of its body below suites: "outbound/lifecycle".
	Family string `json:"family"`
	// Requires is what a cell must be for the check to be asked of it.
	Requires []Requirement `json:"requires,omitempty"`
	// Depends are the axes, and "composition", whose values and packages can
	// change the answer; nil is all of them.
	Depends []string `json:"depends,omitempty"`
	// Hosts are those that it works on.
	Hosts Hosts `json:"hosts,omitzero"`
	// Compares is the component of which it compares the cell's version with the one
	// before it in the plan; empty for none.
	Compares Component `json:"compares,omitempty"`
	// Boot says that the check answers for the boot of a cell's hosts.
	Boot bool `json:"boot,omitempty"`
	// Draft says that nobody has seen it hold on a stack that is well: it is asked only
	// where it is named, and decides nothing until then.
	Draft bool `json:"draft,omitempty"`
	// Control is the name of its negative control. Without is why it has none.
	Control string `json:"control,omitempty"`
	Without string `json:"without,omitempty"`
	// Seconds is its measured cost by tier.
	Seconds map[Tier]float64 `json:"seconds,omitempty"`
	// Relied is who relies on what it asserts.
	Relied []Reliance `json:"relied,omitempty"`
}

// Reliance is what a consumer of the stack's interfaces relies on, in its words.
type Reliance struct {
	Consumer string `json:"consumer"`
	On       string `json:"on"`
}

// builtinChecks is generated from the registry of the suites.
//
//go:embed checks.json
var builtinChecks []byte

func checkID(c *Check) string { return c.ID }

// Check returns the check with the ID. An unknown one is an error that gives
// the nearest.
func (c *Catalog) Check(id string) (*Check, error) {
	return find(c.Checks, checkID, "check", id)
}

// CheckIDs lists all checks in the order of checks.json.
func (c *Catalog) CheckIDs() []string { return namesOf(c.Checks, checkID) }

// WriteChecks writes a list of checks as ReadChecks reads it.
func WriteChecks(w io.Writer, checks []Check) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(checks); err != nil {
		return fmt.Errorf("cannot write checks: %w", err)
	}
	return nil
}

// ReadChecks reads a list of checks. It is strict: what is unknown, missing or
// cannot be is an error that names the check.
func ReadChecks(text []byte) ([]Check, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	var checks []Check
	if err := d.Decode(&checks); err != nil {
		return nil, fmt.Errorf("cannot read checks: %w", err)
	}
	if err := VerifyChecks(checks); err != nil {
		return nil, fmt.Errorf("cannot read checks: %w", err)
	}
	return checks, nil
}

// VerifyChecks says what is wrong with a list of checks.
func VerifyChecks(checks []Check) error {
	seen := map[string]bool{}
	for i := range checks {
		c := &checks[i]
		if seen[c.ID] {
			return fmt.Errorf("check %s is registered twice", c.ID)
		}
		seen[c.ID] = true
		if err := c.verify(); err != nil {
			return fmt.Errorf("check %s: %w", c.ID, err)
		}
	}
	for _, on := range hostTypes() {
		if !slices.ContainsFunc(checks, func(c Check) bool { return c.Boot && c.askedOn(on) }) {
			return fmt.Errorf("no check answers for the boot of %s hosts", on)
		}
	}
	return nil
}

var checkName = regexp.MustCompile(`^[A-Z][A-Z0-9]*(-[A-Z0-9]+)+$`)

func (c *Check) verify() error {
	switch {
	case !checkName.MatchString(c.ID):
		return errors.New("its ID is not of capital words and numbers that dashes join, such as O-SAVE")
	case c.Asserts == "":
		return errors.New("it has no sentence that says what it asserts")
	}
	if _, err := layerOf(c.Family); err != nil {
		return err
	}
	for _, r := range c.Requires {
		if err := r.verify(); err != nil {
			return err
		}
	}
	if c.Compares != "" && !slices.Contains(c.Depends, string(c.Compares)) {
		return fmt.Errorf("it compares versions of %s, and does not depend on it", c.Compares)
	}
	if len(c.Hosts.Earlier) > 0 && (c.Hosts.Moves == "" && c.Hosts.Count != 2 || c.Depends != nil) {
		return errors.New("a check between two stacks has two hosts, or one whose packages move, and depends on everything")
	}
	if c.Hosts.Moves != "" && (len(c.Hosts.Earlier) == 0 || c.Hosts.Count > 1 || c.askedOn(hostType{Nested, KVM})) {
		return errors.New("packages move in one container or dom0, between its stack and the one before of some components")
	}
	if c.Hosts.above() && (c.Hosts.Moves != "" || c.Hosts.Count > 1 || c.Hosts.Each != "") {
		return errors.New("add-ons and machines come to one host, whose packages do not move")
	}
	if c.Hosts.Machine.Role != "" && (c.askedOn(hostType{Nested, KVM}) || c.askedOn(hostType{Nested, Xen})) {
		return errors.New("a machine comes to a container")
	}
	if !slices.ContainsFunc(hostTypes(), c.askedOn) {
		return fmt.Errorf("no cell can meet what it requires: %s", listed(plain(c.Requires)))
	}
	return nil
}

// verifyDepends says which check depends on an axis that the catalogue lacks.
func (c *Catalog) verifyDepends() error {
	axes := append(namesOf(c.Axes, func(a *Axis) string { return a.Name }), CompositionAxis)
	for _, check := range c.Checks {
		for _, axis := range check.Depends {
			if !slices.Contains(axes, axis) {
				return fmt.Errorf("check %s depends on an %w", check.ID, Unknown("axis", axis, axes))
			}
		}
	}
	return nil
}

// askedOn says whether cells on hosts of a type can have the check.
func (c *Check) askedOn(on hostType) bool {
	return !slices.ContainsFunc(c.Requires, func(r Requirement) bool { return !r.possible(on) })
}

// Kinds lists the kinds whose cells can have the check.
func (c *Check) Kinds() []Kind {
	return slices.DeleteFunc(Kinds(), func(k Kind) bool {
		return !slices.ContainsFunc(k.Tiers(), func(t Tier) bool { return c.askedOn(hostType{t, k}) })
	})
}

// Tiers lists the tiers whose cells can have the check.
func (c *Check) Tiers() []Tier {
	return slices.DeleteFunc(Tiers(), func(t Tier) bool {
		return !slices.ContainsFunc(hostTypes(), func(on hostType) bool { return on.tier == t && c.askedOn(on) })
	})
}

// inapplicable returns why the check does not apply to the cell, or "" when it
// does.
func (c *Check) inapplicable(cell *Cell) string {
	for _, r := range c.Requires {
		if why := r.unmet(cell); why != "" {
			return why
		}
	}
	return ""
}

// bootCheck returns the ID of the check that answers for the boot of a cell's
// hosts: of those that apply, the one that the fewest types of hosts have.
func (c *Catalog) bootCheck(cell *Cell) string {
	id, fewest := "", len(hostTypes())+1
	for i := range c.Checks {
		check := &c.Checks[i]
		if !check.Boot || check.inapplicable(cell) != "" {
			continue
		}
		n := 0
		for _, on := range hostTypes() {
			if check.askedOn(on) {
				n++
			}
		}
		if n < fewest {
			id, fewest = check.ID, n
		}
	}
	return id
}

// isolation is what the check asks to share its host with.
func (c *Check) isolation() Isolation {
	if slices.Contains(c.Requires, Pristine) {
		return IsolateCheck
	}
	return ""
}
