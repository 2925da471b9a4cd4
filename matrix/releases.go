package matrix

// Release is a distribution release that packages come from.
type Release struct {
	// Name is how the matrix calls it: "bookworm-backports".
	Name string
	// Source is the kind of repository: "apt".
	Source string
	// Suites are its own, as the repository names them.
	Suites []string
	// CheckValidUntil is false when the repository's index may be past its date.
	CheckValidUntil bool
	// Parents are the releases whose suites its packages need as well.
	Parents []string
	// Candidate is what is laid over it; nil for a release as it is served.
	Candidate *Candidate
}

// sources are the kinds of repository that a release can come from.
var sources = []string{"apt"}

func releaseName(r *Release) string { return r.Name }

// Release returns the release with the name. An unknown one is an error that
// gives the nearest.
func (c *Catalog) Release(name string) (*Release, error) {
	return find(c.Releases, releaseName, "release", name)
}

// Lineage returns the release and then, nearest first, its parents and theirs:
// everything that an installation of the release reads.
func (c *Catalog) Lineage(name string) ([]*Release, error) {
	var lineage []*Release
	seen := map[string]bool{name: true}
	for queue := []string{name}; len(queue) > 0; queue = queue[1:] {
		r, err := c.Release(queue[0])
		if err != nil {
			return nil, err
		}
		lineage = append(lineage, r)
		for _, p := range r.Parents {
			if !seen[p] {
				seen[p] = true
				queue = append(queue, p)
			}
		}
	}
	return lineage, nil
}

func (c *loader) readReleases() []key {
	return []key{required("releases", each(func(n node) error {
		r := Release{CheckValidUntil: true}
		err := n.object(
			required("name", c.fresh(&r.Name, "release")),
			required("source", word(&r.Source, "source", sources)),
			required("suites", texts(&r.Suites, "suite")),
			optional("check_valid_until", boolean(&r.CheckValidUntil)),
			// Only releases above: a lineage cannot run in a circle.
			optional("parents", words(&r.Parents, "release", namesOf(c.Releases, releaseName))),
		)
		if err != nil {
			return err
		}
		c.Releases = append(c.Releases, r)
		return nil
	}))}
}
