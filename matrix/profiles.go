package matrix

import (
	"fmt"
)

// DefaultProfile is what a run is asked when nobody says.
const DefaultProfile = "smoke"

// ChangeProfile is what the cells of a change are chosen from when nobody says.
const ChangeProfile = "nightly"

// Profile is a named set of cells, given one by one or by what they cover.
type Profile struct {
	Name string
	// Description says in a line what the profile is for.
	Description string
	// Cells are composed, but have no checks and no images yet.
	Cells []Cell
	// Covers ask for cells to be generated. Cells of the same kind are then among
	// them.
	Covers []Cover
	// Checks are the IDs to plan by tier, or else by kind. Cells of neither plan
	// all.
	Checks map[string][]string
	// Isolation is what the checks share their hosts with, where they do not say.
	Isolation Isolation
	// Candidate is what a run of the profile is about, where nothing else is asked; nil
	// for the profile's own cells.
	Candidate *Wanted
}

// candidate is what a request for the profile is about; nil if it says something else.
func (p *Profile) candidate(r Request) *Wanted {
	if r.Change != nil {
		return nil
	}
	return p.Candidate
}

func profileName(p *Profile) string { return p.Name }
func cellID(c *Cell) string         { return c.ID }

// Profile returns the profile with the name. An unknown one is an error that
// gives the nearest.
func (c *Catalog) Profile(name string) (*Profile, error) {
	return find(c.Profiles, profileName, "profile", name)
}

func (c *loader) readProfiles() []key {
	return []key{optional("selections", each(c.readSelection)), required("profiles", each(c.readProfile))}
}

// readSelection reads a list of checks that profiles name.
func (c *loader) readSelection(n node) error {
	var name string
	var checks []string
	err := n.object(
		required("name", c.fresh(&name, "selection")),
		required("checks", func(n node) (err error) {
			checks, err = c.readSelectors(n)
			return err
		}),
	)
	if c.selections == nil {
		c.selections = map[string][]string{}
	}
	c.selections[name] = checks
	return err
}

func (c *loader) readProfile(n node) error {
	var p Profile
	// The place of each cell, which covers may exclude.
	var cells []node
	err := n.object(
		required("name", c.fresh(&p.Name, "profile")),
		required("description", text(&p.Description)),
		optional("cells", each(func(n node) error {
			cells = append(cells, n)
			return c.readCell(n, &p)
		})),
		optional("cover", each(func(n node) error { return c.readCover(n, &p) })),
		optional("checks", func(n node) error { return c.readPlanned(n, &p) }),
		optional("candidate", func(n node) error { return c.readCandidate(n, &p) }),
		optional("isolation", word(&p.Isolation, "isolation", Isolations())),
	)
	if err != nil {
		return err
	}
	if len(p.Cells)+len(p.Covers) == 0 {
		return n.errorf("profile %s has neither cells nor cover", p.Name)
	}
	for i := range p.Cells {
		for _, cover := range p.Covers {
			if !cover.asks(&p.Cells[i]) {
				continue
			}
			if err := allowed(&p.Cells[i], cover.Exclude); err != nil {
				return cells[i].wrap(err)
			}
		}
	}
	c.Profiles = append(c.Profiles, p)
	return nil
}

// readCandidate reads a candidate as the command line has it.
func (c *loader) readCandidate(n node, p *Profile) error {
	text, err := n.text()
	if err != nil {
		return err
	}
	w, err := ParseCandidate(text)
	if err == nil && w.Over != "" {
		_, err = c.Release(w.Over)
	}
	p.Candidate = &w
	return n.wrap(err)
}

func (c *loader) readCell(n node, p *Profile) error {
	kind, err := cellKind(n)
	if err != nil {
		return err
	}
	values := map[string]string{}
	tier := Nested
	keys := []key{required("kind", word(&kind, "kind", Kinds())), optional("tier", readTier(&tier, kind))}
	for _, comp := range kind.Components() {
		keys = append(keys, required(string(comp), func(n node) (err error) {
			values[string(comp)], err = c.readCellValue(n, string(comp))
			return err
		}))
	}
	keys = append(keys, optional(CompositionAxis, func(n node) error {
		var as Composition
		err := word(&as, CompositionAxis, []Composition{Native, Bundled})(n)
		values[CompositionAxis] = string(as)
		return err
	}))
	for _, a := range c.KindAxes(kind) {
		if isSetting(a) {
			keys = append(keys, optional(a.Name, func(n node) (err error) {
				values[a.Name], err = c.readCellValue(n, a.Name)
				return err
			}))
		}
	}
	if err := n.object(keys...); err != nil {
		return err
	}
	cell, err := c.cell(kind, tier, values)
	if err != nil {
		return n.wrap(err)
	}
	if err := allowed(&cell, c.On(false).Constraints); err != nil {
		return n.wrap(err)
	}
	if err := c.claim(n, "cell of profile "+p.Name, cell.ID); err != nil {
		return err
	}
	p.Cells = append(p.Cells, cell)
	return nil
}

// readCellValue reads the value of an axis, by the name that the axis has for
// it.
func (c *loader) readCellValue(n node, axis string) (string, error) {
	name, err := n.text()
	if err != nil {
		return "", err
	}
	a, err := c.Axis(axis)
	if err != nil {
		return "", n.wrap(err)
	}
	v, err := a.Value(name)
	if err != nil {
		return "", n.wrap(err)
	}
	return v.Name, nil
}

// allowed returns an error with the constraint that forbids the cell, if one
// does.
func allowed(cell *Cell, constraints []Constraint) error {
	for _, k := range constraints {
		if k.Forbids(cell) {
			return fmt.Errorf("no cell may have %s: %s (%s)", k, k.Why, k.Source)
		}
	}
	return nil
}

// cellKind looks ahead for the kind of a cell, which says what its other keys
// are.
func cellKind(n node) (kind Kind, err error) {
	err = n.entries(func(name string, _, value node) error {
		if name != "kind" {
			return nil
		}
		return word(&kind, "kind", Kinds())(value)
	})
	if err == nil && kind == "" {
		err = n.errorf(`the key "kind" is missing`)
	}
	return kind, err
}

// readPlanned reads the checks that a profile plans by kind, and those for
// containers of whatever kind.
func (c *loader) readPlanned(n node, p *Profile) error {
	p.Checks = map[string][]string{}
	return keyed("kind or tier", append(plain(Kinds()), string(Container)), func(on string, n node) (err error) {
		p.Checks[on], err = c.readSelectors(n)
		return err
	})(n)
}

// readSelectors reads a list of selectors of checks and names of selections.
func (c *loader) readSelectors(n node) ([]string, error) {
	var patterns []string
	err := each(func(n node) error {
		pattern, err := n.text()
		if err != nil {
			return err
		}
		checks, ok := c.selections[pattern]
		if !ok {
			checks, err = Select([]string{pattern}, c.CheckIDs())
		}
		patterns = append(patterns, checks...)
		return n.wrap(err)
	})(n)
	if err != nil {
		return nil, err
	}
	return Select(patterns, c.CheckIDs())
}
