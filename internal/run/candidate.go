package run

import (
	"context"
	"fmt"
	"slices"

	"github.com/virtmatrix/virtmatrix/internal/progress"
	"github.com/virtmatrix/virtmatrix/internal/source"
	"github.com/virtmatrix/virtmatrix/internal/source/registry"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// lay looks at the candidate that is asked for, by the request or by its profile, and
// returns the catalogue and the request with it.
func (d *Driver) lay(ctx context.Context, cat *matrix.Catalog, req matrix.Request) (*matrix.Catalog, matrix.Request, error) {
	wanted, err := cat.Wanted(req)
	if wanted == nil || err != nil {
		return cat, req, err
	}
	w := *wanted
	fail := func(err error) (*matrix.Catalog, matrix.Request, error) {
		return nil, req, fmt.Errorf("cannot plan candidate %s: %w", w, err)
	}
	d.tell(progress.Event{Phase: progress.Resolving, Text: "what candidate " + w.String() + " has"})
	offer, err := d.survey(ctx, cat, w)
	if err != nil {
		return fail(err)
	}
	if w.Over == "" {
		// What belongs to the component is known for certain only where it is laid over.
		if w.Over, _, err = cat.Laid(w, offer.Lead); err == nil {
			offer, err = d.survey(ctx, cat, w)
		}
		if err != nil {
			return fail(err)
		}
	}
	cat, cand, err := cat.With(w, offer)
	if err != nil {
		return fail(err)
	}
	change := cand.Change()
	req.Candidate, req.Change = cand, &change
	return cat, req, nil
}

// survey looks at what is where a candidate is.
func (d *Driver) survey(ctx context.Context, cat *matrix.Catalog, w matrix.Wanted) (matrix.Offer, error) {
	axis, err := cat.Axis(string(w.Component))
	if err != nil {
		return matrix.Offer{}, err
	}
	sources, err := d.sources(ctx, cat)
	if err != nil {
		return matrix.Offer{}, err
	}
	release := w.Over
	if release == "" {
		release = axis.Values[0].Releases[0]
	}
	src, err := sources.For(release)
	if err != nil {
		return matrix.Offer{}, err
	}
	surveyor, ok := src.(source.Surveyor)
	if !ok {
		return matrix.Offer{}, fmt.Errorf("candidates cannot be laid over %s: its kind of repository knows none", release)
	}
	var patterns []string
	for _, kind := range axis.Kinds {
		patterns = append(patterns, axis.Packages[kind]...)
	}
	slices.Sort(patterns)
	return surveyor.Survey(ctx, w.Over, w.Where, slices.Compact(patterns))
}

// laid returns the catalogue with the candidate of a plan in it.
func laid(cat *matrix.Catalog, plan *matrix.Plan) (*matrix.Catalog, error) {
	if plan.Candidate == nil {
		return cat, nil
	}
	return cat.Laying(plan.Candidate)
}

// Changelogs returns what the changelogs of packages say between the versions in which
// they differ, by name, as far as they are in the cache.
func (d *Driver) Changelogs(ctx context.Context, differences []matrix.Difference) (map[string][]string, error) {
	entries := map[string][]string{}
	for _, diff := range differences {
		if diff.Way != matrix.Up && diff.Way != matrix.Down {
			continue
		}
		newer, older := diff.Now, diff.Was
		if diff.Way == matrix.Down {
			newer, older = older, newer
		}
		text, err := registry.Changelog(ctx, d.config.Home, newer, older.Version)
		if err != nil {
			return nil, fmt.Errorf("cannot read the changelog of %s: %w", diff.Name, err)
		}
		entries[diff.Name] = text
	}
	return entries, nil
}
