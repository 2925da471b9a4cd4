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
	// Tiers are those on which its answer is one about the stack.
	Tiers []Tier
	// Since holds the first version of a component that has the interface.
	Since map[Component]string
	// Isolation is IsolateCheck when the check must have a host of its own.
	Isolation Isolation
	// Needs are the checks without whose success this one has no answer, apart
	// from the boot check, which every check needs.
	Needs []string
	// Unsupported is the reason by kind and by tier, for each kind that is not in
	// Kinds and each tier of its kinds that is not in Tiers.
	Unsupported map[string]string
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
	if why := c.excused(cell.footing()); why != "" {
		return why
	}
	for _, s := range cell.Stack {
		since, ok := c.Since[s.Component]
		if ok && Compare(s.Upstream(), since) < 0 {
			return fmt.Sprintf("needs %s %s, the cell has %s", s.Component, since, s.Version)
		}
	}
	return ""
}

// excused returns why no cell of the kind and tier has the check, or "".
func (c *Check) excused(on footing) string {
	if why, ok := c.Unsupported[string(on.kind)]; ok {
		return why
	}
	return c.Unsupported[string(on.tier)]
}

// prerequisites returns the checks that a check needs in cells of a kind and
// tier, directly or through others, in the order of a plan.
func (c *Catalog) prerequisites(id string, on footing) []string {
	boot := c.boot[on]
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
	for _, check := range c.order(on) {
		if needed[check.ID] {
			ids = append(ids, check.ID)
		}
	}
	return ids
}

// order lists all checks as cells of a kind and tier have them: the boot check
// first.
func (c *Catalog) order(on footing) []*Check {
	var first, rest []*Check
	for i := range c.Checks {
		if k := &c.Checks[i]; k.ID == c.boot[on] {
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
	k := Check{Since: map[Component]string{}, Unsupported: map[string]string{}}
	err := n.object(
		required("id", c.fresh(&k.ID, "check")),
		required("title", text(&k.Title)),
		required("area", word(&k.Area, "area", []Area{Inbound, Outbound})),
		required("kinds", words(&k.Kinds, "kind", Kinds())),
		required("tiers", words(&k.Tiers, "tier", Tiers())),
		optional("since", k.readSince),
		optional("isolation", word(&k.Isolation, "isolation", Isolations())),
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
	return keyed("kind or tier", slices.Concat(plain(Kinds()), plain(Tiers())), func(on string, n node) error {
		why, err := n.text()
		c.Unsupported[on] = why
		return err
	})(n)
}

// verify says whether a check tells for each kind, and each tier of its kinds,
// either that it applies or why not, and asks for versions only where there are
// some.
func (c *Check) verify() error {
	for _, kind := range Kinds() {
		_, excused := c.Unsupported[string(kind)]
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
	return c.verifyTiers()
}

func (c *Check) verifyTiers() error {
	for _, tier := range Tiers() {
		_, excused := c.Unsupported[string(tier)]
		applies := slices.Contains(c.Tiers, tier)
		asked := slices.ContainsFunc(c.Kinds, func(k Kind) bool { return slices.Contains(k.Tiers(), tier) })
		switch {
		case applies && !asked:
			return fmt.Errorf("check %s has the tier %s, which no %s cell can have", c.ID, tier, listed(plain(c.Kinds)))
		case applies && excused:
			return fmt.Errorf("check %s has %s both in tiers and in unsupported", c.ID, tier)
		case !applies && asked && !excused:
			return fmt.Errorf("check %s is not valid on the tier %s; say why in unsupported", c.ID, tier)
		}
	}
	return nil
}

// readBoot reads the boot check of each kind on each tier. A catalogue without
// any for a tier has no cells of that tier.
func (c *loader) readBoot(n node) error {
	if err := c.claim(n, "key", "boot"); err != nil {
		return err
	}
	var keys []key
	for _, tier := range Tiers() {
		read := func(n node) error { return c.readBootOf(n, tier) }
		if tier == Nested {
			keys = append(keys, required(string(tier), read))
		} else {
			keys = append(keys, optional(string(tier), read))
		}
	}
	return n.object(keys...)
}

// readBootOf reads the boot check of each kind whose hosts can be of a tier.
func (c *loader) readBootOf(n node, tier Tier) error {
	var keys []key
	for _, kind := range Kinds() {
		if !slices.Contains(kind.Tiers(), tier) {
			continue
		}
		keys = append(keys, required(string(kind), func(n node) error {
			var id string
			if err := word(&id, "check", c.CheckIDs())(n); err != nil {
				return err
			}
			on := footing{tier, kind}
			if !c.canBoot(id, on) {
				return n.errorf("check %s cannot be the boot check of %s: it must apply to every %s cell of the tier %s and need nothing", id, kind, kind, tier)
			}
			c.boot[on] = id
			return nil
		}))
	}
	return n.object(keys...)
}

// canBoot says whether a check applies to every cell of a kind and tier, and
// needs nothing that they have.
func (c *Catalog) canBoot(id string, on footing) bool {
	check, err := c.Check(id)
	if err != nil || check.excused(on) != "" {
		return false
	}
	for _, comp := range on.kind.Components() {
		axis, err := c.component(comp)
		since, asks := check.Since[comp]
		if err != nil || !asks {
			continue
		}
		if slices.ContainsFunc(axis.Values, func(v Value) bool { return Compare(v.series(), since) < 0 }) {
			return false
		}
	}
	return !slices.ContainsFunc(check.Needs, func(need string) bool {
		needed, err := c.Check(need)
		return err != nil || needed.excused(on) == ""
	})
}
