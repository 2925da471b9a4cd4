package matrix

import (
	"fmt"
	"maps"
	"slices"

	debversion "github.com/knqyf263/go-deb-version"
)

// Area says whose interface a check exercises.
type Area string

// The areas.
const (
	// Inbound interfaces make the stack work: kernel, qemu, Xen.
	Inbound Area = "inbound"
	// Outbound interfaces are those that users touch: libvirt, virsh.
	Outbound Area = "outbound"
)

// Check is one named behaviour.
type Check struct {
	// ID is stable: it names the spec, the report's row and the selector.
	ID string
	// Title is the behaviour in one sentence.
	Title string
	Area  Area
	// Kinds are those that the check applies to.
	Kinds []Kind
	Tier  Tier
	// Since holds the first version of a component that has the interface.
	Since map[Component]string
	// Needs are the checks without whose success this one has no answer, apart
	// from the boot check, which every check needs.
	Needs []string
	// Unsupported is the reason by kind, for each kind that is not in Kinds.
	Unsupported map[Kind]string
}

func checkID(c *Check) string { return c.ID }

// Check returns the check with the ID. An unknown one is an error that gives
// the nearest.
func (c *Catalog) Check(id string) (*Check, error) {
	return find(c.Checks, checkID, "check", id)
}

// CheckIDs lists all checks in the order of checks.yaml.
func (c *Catalog) CheckIDs() []string { return namesOf(c.Checks, checkID) }

// inapplicable returns why the check does not apply to the cell, or "" when it
// does.
func (c *Check) inapplicable(cell *Cell) string {
	if why, ok := c.Unsupported[cell.Kind]; ok {
		return why
	}
	for _, s := range cell.Stack {
		since, ok := c.Since[s.Component]
		if ok && Compare(s.Version, since) < 0 {
			return fmt.Sprintf("needs %s %s, the cell has %s", s.Component, since, s.Version)
		}
	}
	return ""
}

// prerequisites returns the checks that a check needs on a kind, directly or
// through others, in the order of a plan.
func (c *Catalog) prerequisites(id string, kind Kind) []string {
	boot := c.boot[kind]
	if id == boot {
		return nil
	}
	needed := map[string]bool{boot: true, id: true}
	// From the last check up: what a check needs stands above it.
	for i := len(c.Checks) - 1; i >= 0; i-- {
		if needed[c.Checks[i].ID] {
			for _, n := range c.Checks[i].Needs {
				needed[n] = true
			}
		}
	}
	delete(needed, id)
	var ids []string
	for _, check := range c.order(kind) {
		if needed[check.ID] {
			ids = append(ids, check.ID)
		}
	}
	return ids
}

// order lists all checks as they are planned on a kind: its boot check first.
func (c *Catalog) order(kind Kind) []*Check {
	var first, rest []*Check
	for i := range c.Checks {
		if k := &c.Checks[i]; k.ID == c.boot[kind] {
			first = append(first, k)
		} else {
			rest = append(rest, k)
		}
	}
	return append(first, rest...)
}

func (c *loader) readChecks() []key {
	// The boot checks are among the checks, so they are read after them.
	return []key{required("checks", each(c.readCheck)), required("boot", c.readBoot)}
}

func (c *loader) readCheck(n node) error {
	k := Check{Since: map[Component]string{}, Unsupported: map[Kind]string{}}
	err := n.object(
		required("id", c.fresh(&k.ID, "check")),
		required("title", text(&k.Title)),
		required("area", word(&k.Area, "area", []Area{Inbound, Outbound})),
		required("kinds", words(&k.Kinds, "kind", Kinds())),
		required("tier", word(&k.Tier, "tier", []Tier{Static, Container, Nested})),
		optional("since", k.readSince),
		// Only checks above: needs cannot run in a circle, and a check runs
		// after what it needs.
		optional("needs", words(&k.Needs, "check above this one", c.CheckIDs())),
		optional("unsupported", k.readUnsupported),
	)
	if err != nil {
		return err
	}
	if err := k.verify(); err != nil {
		return n.wrap(err)
	}
	c.Checks = append(c.Checks, k)
	return nil
}

func (c *Check) readSince(n node) error {
	return keyed("component", components(), func(comp Component, n node) error {
		version, err := n.text()
		if err != nil {
			return err
		}
		if !debversion.Valid(version) {
			return n.errorf("%q is not a version", version)
		}
		c.Since[comp] = version
		return nil
	})(n)
}

func (c *Check) readUnsupported(n node) error {
	return keyed("kind", Kinds(), func(kind Kind, n node) error {
		why, err := n.text()
		c.Unsupported[kind] = why
		return err
	})(n)
}

// verify says whether a check tells for each kind either that it applies or
// why not, and asks for versions only where there are some.
func (c *Check) verify() error {
	for _, kind := range Kinds() {
		_, excused := c.Unsupported[kind]
		applies := slices.Contains(c.Kinds, kind)
		if applies && excused {
			return fmt.Errorf("check %s has %s both in kinds and in unsupported", c.ID, kind)
		}
		if !applies && !excused {
			return fmt.Errorf("check %s does not apply to %s; say why in unsupported", c.ID, kind)
		}
		for _, comp := range slices.Sorted(maps.Keys(c.Since)) {
			if applies && !slices.Contains(kind.Components(), comp) {
				return fmt.Errorf("check %s asks since which %s it applies, which a %s cell does not have", c.ID, comp, kind)
			}
		}
	}
	return nil
}

// readBoot reads the boot check of each kind.
func (c *loader) readBoot(n node) error {
	if err := c.claim(n, "key", "boot"); err != nil {
		return err
	}
	var keys []key
	for _, kind := range Kinds() {
		keys = append(keys, required(string(kind), func(n node) error {
			var id string
			if err := word(&id, "check", c.CheckIDs())(n); err != nil {
				return err
			}
			check, err := c.Check(id)
			if err != nil {
				return n.wrap(err)
			}
			if !slices.Contains(check.Kinds, kind) || len(check.Since) > 0 || len(check.Needs) > 0 {
				return n.errorf("check %s cannot be the boot check of %s: it must apply to every %s cell and need nothing", id, kind, kind)
			}
			c.boot[kind] = id
			return nil
		}))
	}
	return n.object(keys...)
}
