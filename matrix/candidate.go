package matrix

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Wanted is a candidate as people name it: where the packages of a component are that
// are to be judged before anybody releases them.
type Wanted struct {
	Component Component
	// Over is the release that they are laid over; empty for the one that serves the
	// version nearest to theirs.
	Over string
	// Where is a folder of package files, an installed tree or a tar archive of one, the
	// address of a repository, or a release of the catalogue or, with RPM, the name of one
	// of its repositories.
	Where string
}

// String writes the candidate as ParseCandidate reads it.
func (w Wanted) String() string {
	if w.Over == "" {
		return fmt.Sprintf("%s=%s", w.Component, w.Where)
	}
	return fmt.Sprintf("%s@%s=%s", w.Component, w.Over, w.Where)
}

// ParseCandidate reads a candidate as flags and profiles have it:
// "libvirt=/srv/rebuild", or "libvirt@bookworm=/srv/rebuild".
func ParseCandidate(text string) (Wanted, error) {
	what, where, named := strings.Cut(text, "=")
	component, over, laid := strings.Cut(what, "@")
	w := Wanted{Component: Component(strings.TrimSpace(component)), Over: strings.TrimSpace(over), Where: strings.TrimSpace(where)}
	if !named || w.Component == "" || w.Where == "" || laid && w.Over == "" {
		return Wanted{}, fmt.Errorf("cannot read candidate %q: want COMPONENT=WHERE or COMPONENT@RELEASE=WHERE, such as libvirt=/srv/rebuild", text)
	}
	if !slices.Contains(components(), w.Component) {
		return Wanted{}, fmt.Errorf("cannot read candidate %q: %w", text, Unknown("component", component, plain(components())))
	}
	return w, nil
}

// candidateSuffix ends the names of what a candidate adds to a catalogue.
const candidateSuffix = "-candidate"

// Below is the release that a candidate's is laid over, or the series of its version; any
// other release or version is itself.
func Below(release string) string { return strings.TrimSuffix(release, candidateSuffix) }

// Candidate is what was found where a candidate is: these files and no others are what
// the verdicts of its plan are about.
type Candidate struct {
	Component Component `json:"component"`
	Where     string    `json:"where"`
	// Over is the release that it is laid over, Release the two together. Version is
	// the axis value, Baseline that of the release alone.
	Over     string `json:"over"`
	Release  string `json:"release"`
	Version  string `json:"version"`
	Series   string `json:"series"`
	Baseline string `json:"baseline"`
	// Trust says who answers for the files: whose key, or nobody's.
	Trust string `json:"trust"`
	// Published says that a repository serves them.
	Published bool `json:"published,omitempty"`
	// Index is where a source finds them again, of the content that it had.
	Index string `json:"index"`
	// Packages are those that belong to the component, Unused the names of those among
	// them that no image of the plan has.
	Packages []Package `json:"packages"`
	Unused   []string  `json:"unused,omitempty"`
}

// Offer is what a source finds where a candidate is.
type Offer struct {
	Trust, Index string
	// Published says that a repository serves it.
	Published bool
	// Packages are those that belong to the component, Lead the version of those that
	// say which version it is.
	Packages []Package
	Lead     string
}

// Change is the candidate as a change of its component.
func (c *Candidate) Change() Change {
	return Change{Axis: string(c.Component), From: c.Baseline, To: c.Version}
}

// Has says whether a package is one of the candidate's, and whether it is of the name of
// one at all.
func (c *Candidate) Has(p Package) (same, named bool) {
	for _, own := range c.Packages {
		if own.Name == p.Name {
			return own.SHA256 == p.SHA256, true
		}
	}
	return false, false
}

// Wanted is the candidate that a request is about, by itself or by its profile; nil if
// there is none.
func (c *Catalog) Wanted(r Request) (*Wanted, error) {
	p, err := c.Profile(r.Profile)
	if err != nil {
		return nil, fmt.Errorf("cannot plan: %w", err)
	}
	return cmp.Or(r.Wanted, p.candidate(r)), nil
}

// Laid returns the release that a candidate is to be laid over, and the version of its
// component that this serves. lead is the version of the candidate's own packages; it is
// needed where the release is not named.
func (c *Catalog) Laid(w Wanted, lead string) (over, baseline string, err error) {
	a, err := c.component(w.Component)
	if err != nil {
		return "", "", err
	}
	if w.Over != "" {
		if _, err := c.Release(w.Over); err != nil {
			return "", "", err
		}
		for _, v := range a.Values {
			if slices.Contains(v.Releases, w.Over) {
				return w.Over, v.Name, nil
			}
		}
		return "", "", fmt.Errorf("release %s has no %s in the catalogue that a candidate could be compared with", w.Over, w.Component)
	}
	nearest := &a.Values[0]
	for i, v := range a.Values {
		if InSeries(v.series(), lead) {
			nearest = &a.Values[i]
			break
		}
		if Compare(v.series(), Series(lead)) < 0 {
			nearest = &a.Values[i]
		}
	}
	return nearest.Releases[0], nearest.Name, nil
}

// With returns the catalogue with a candidate in it: a release that is the one below
// with the candidate's packages over it, and a version that only this one serves.
func (c *Catalog) With(w Wanted, o Offer) (*Catalog, *Candidate, error) {
	over, baseline, err := c.Laid(w, o.Lead)
	if err != nil {
		return nil, nil, err
	}
	was, err := c.Version(w.Component, baseline)
	if err != nil {
		return nil, nil, err
	}
	series := Series(o.Lead)
	if InSeries(was.series(), o.Lead) {
		series = was.series()
	}
	if series == "" {
		return nil, nil, fmt.Errorf("%q, the version of the candidate's packages, has no number", o.Lead)
	}
	cand := &Candidate{
		Component: w.Component, Where: w.Where, Over: over, Release: over + candidateSuffix, Version: series + candidateSuffix, Series: series,
		Baseline: baseline, Trust: o.Trust, Published: o.Published, Index: o.Index, Packages: o.Packages,
	}
	out, err := c.Laying(cand)
	return out, cand, err
}

// Laying returns the catalogue with a candidate in it that was found before.
func (c *Catalog) Laying(cand *Candidate) (*Catalog, error) {
	below, err := c.Release(cand.Over)
	if err != nil {
		return nil, err
	}
	if _, err := c.Release(cand.Release); err == nil {
		return nil, fmt.Errorf("the catalogue has a release %s, which is how a candidate over %s is called; rename it", cand.Release, cand.Over)
	}
	out := *c
	release := *below
	release.Name, release.Candidate = cand.Release, cand
	out.Releases = append(slices.Clone(c.Releases), release)
	out.Axes = slices.Clone(c.Axes)
	for i := range out.Axes {
		a := &out.Axes[i]
		a.Values = slices.Clone(a.Values)
		switch {
		case isSetting(a):
		case a.Component == cand.Component:
			at := slices.IndexFunc(a.Values, func(v Value) bool { return Compare(v.series(), cand.Series) > 0 })
			if at < 0 {
				at = len(a.Values)
			}
			// A twin has what the candidate is laid over, and not the same version of another
			// release.
			for j := range a.Values {
				if a.Values[j].Name == cand.Baseline {
					a.Values[j].Releases = []string{cand.Over}
				}
			}
			a.Values = slices.Insert(a.Values, at, Value{Name: cand.Version, Series: cand.Series, Weight: 1, Releases: []string{cand.Release}})
		default:
			for j, v := range a.Values {
				if slices.Contains(v.Releases, cand.Over) {
					a.Values[j].Releases = append(slices.Clone(v.Releases), cand.Release)
				}
			}
		}
	}
	return &out, nil
}
