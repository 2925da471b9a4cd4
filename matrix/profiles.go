package matrix

// DefaultProfile is what a run is asked when nobody says.
const DefaultProfile = "smoke"

// Profile is a named set of cells.
type Profile struct {
	Name string
	// Description says in a line what the profile is for.
	Description string
	// Cells are composed, but have no checks and no images yet.
	Cells []Cell
	// Covers ask for cells to be generated. Cells of the same kind are then among
	// them.
	Covers []Cover
	// Checks are the IDs to plan by kind. A kind that is not in it plans all.
	Checks map[Kind][]string
}

func profileName(p *Profile) string { return p.Name }
func cellID(c *Cell) string         { return c.ID }

// Profile returns the profile with the name. An unknown one is an error that
// gives the nearest.
func (c *Catalog) Profile(name string) (*Profile, error) {
	return find(c.Profiles, profileName, "profile", name)
}

func (c *Catalog) readProfiles(root node) error {
	return root.object(required("profiles", each(func(n node) error {
		var p Profile
		err := n.object(
			required("name", fresh(&p.Name, c.Profiles, profileName, "profile")),
			required("description", text(&p.Description)),
			required("cells", each(func(n node) error { return c.readCell(n, &p) })),
			optional("checks", func(n node) error { return c.readPlanned(n, &p) }),
		)
		if err != nil {
			return err
		}
		c.Profiles = append(c.Profiles, p)
		return nil
	})))
}

func (c *Catalog) readCell(n node, p *Profile) error {
	kind, err := cellKind(n)
	if err != nil {
		return err
	}
	versions := map[Component]string{}
	keys := []key{required("kind", word(&kind, "kind", Kinds()))}
	for _, comp := range kind.Components() {
		keys = append(keys, required(string(comp), func(n node) error {
			version, err := n.text()
			if err != nil {
				return err
			}
			versions[comp] = version
			_, err = c.Version(comp, version)
			return n.wrap(err)
		}))
	}
	if err := n.object(keys...); err != nil {
		return err
	}
	cell, err := c.compose(kind, versions)
	if err != nil {
		return n.wrap(err)
	}
	if _, err := find(p.Cells, cellID, "cell", cell.ID); err == nil {
		return n.errorf("duplicate cell %q", cell.ID)
	}
	p.Cells = append(p.Cells, cell)
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

// readPlanned reads the checks that a profile plans by kind.
func (c *Catalog) readPlanned(n node, p *Profile) error {
	p.Checks = map[Kind][]string{}
	return keyed("kind", Kinds(), func(kind Kind, n node) error {
		var patterns []string
		err := each(func(n node) error {
			pattern, err := n.text()
			if err != nil {
				return err
			}
			patterns = append(patterns, pattern)
			_, err = Select([]string{pattern}, c.CheckIDs())
			return n.wrap(err)
		})(n)
		if err != nil {
			return err
		}
		p.Checks[kind], err = Select(patterns, c.CheckIDs())
		return err
	})(n)
}
