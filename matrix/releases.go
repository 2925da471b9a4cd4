package matrix

// Release is a distribution release that packages come from.
type Release struct {
	// Name is how the matrix calls it: "bookworm-backports".
	Name string
	// Source is the kind of repository: "apt", "dnf".
	Source string
	// Repositories are its own, the leading one first.
	Repositories []Repository
	// Variables are the values of names in addresses of the repositories.
	Variables map[string]string
	// Modules are the modular streams that are taken: "virt:rhel".
	Modules []string
	// CheckValidUntil is false when the repository's index may be past its date.
	CheckValidUntil bool
	// Parents are the releases whose repositories its packages need as well.
	Parents []string
	// Publishes is what it brings beside the packages of hosts.
	Publishes Publishes
	// Candidate is what is laid over it; nil for a release as it is served.
	Candidate *Candidate
}

// Publishes is what the policy of a release wants of it beside the packages of hosts.
type Publishes struct {
	// RepositoryFiles are the packages that have its repositories on users' machines.
	RepositoryFiles []string
	// Debuginfo and Sources are where the symbols for debuggers and the source packages are.
	Debuginfo, Sources []Repository
}

// Add adds what another release publishes.
func (p *Publishes) Add(o Publishes) {
	p.RepositoryFiles = append(p.RepositoryFiles, o.RepositoryFiles...)
	p.Debuginfo, p.Sources = append(p.Debuginfo, o.Debuginfo...), append(p.Sources, o.Sources...)
}

func (p *Publishes) read(n node) error {
	return n.object(
		optional("repository_files", texts(&p.RepositoryFiles, "package")),
		optional("debuginfo", readRepositories(&p.Debuginfo)),
		optional("sources", readRepositories(&p.Sources)),
	)
}

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
			required("source", word(&r.Source, "source", SourceKinds())),
			required("repositories", readRepositories(&r.Repositories)),
			optional("variables", readVariables(&r.Variables)),
			optional("modules", texts(&r.Modules, "modular stream")),
			optional("publishes", r.Publishes.read),
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
