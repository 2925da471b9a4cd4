package run

import (
	"context"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/virtmatrix/virtmatrix/internal/progress"
	"github.com/virtmatrix/virtmatrix/internal/source"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// listsAtOnce is how many releases' package lists are fetched side by side:
// fetching waits for the mirror, and then one processor unpacks and checks.
const listsAtOnce = 4

// derive adds the constraints that the packages themselves state.
func (d *Driver) derive(ctx context.Context, cat *matrix.Catalog, req matrix.Request, sources source.Sources) (*matrix.Catalog, error) {
	profile, err := cat.Profile(req.Profile)
	if err != nil {
		return nil, fmt.Errorf("cannot plan: %w", err)
	}
	kinds, releases := concerned(cat, profile, req)
	patterns := stating(cat, kinds)
	if len(patterns) == 0 || len(releases) == 0 {
		return cat, nil
	}
	d.tell(progress.Event{Phase: progress.Resolving, Text: fmt.Sprintf("what packages of %d releases say of each other", len(releases))})
	records, err := readRecords(ctx, releases, patterns, sources)
	if err != nil {
		return nil, err
	}
	return cat.Derive(records, kinds...)
}

// concerned lists the kinds that a profile has, and the releases that its cells
// may come from: where cells are to be generated, those of the values that these take.
func concerned(cat *matrix.Catalog, profile *matrix.Profile, req matrix.Request) (kinds []matrix.Kind, releases []string) {
	covers := slices.Clone(profile.Covers)
	for _, cell := range profile.Cells {
		kinds = append(kinds, cell.Kind)
		if req.Change != nil {
			covers = append(covers, matrix.Cover{Kind: cell.Kind})
		}
		for _, choice := range cell.Stack {
			releases = append(releases, choice.Release)
		}
	}
	for _, cover := range covers {
		kinds = append(kinds, cover.Kind)
		for _, axis := range cat.Axes {
			if !slices.Contains(axis.Kinds, cover.Kind) {
				continue
			}
			for _, v := range axis.Values {
				changed := req.Change != nil && req.Change.Axis == axis.Name && (v.Name == req.Change.From || v.Name == req.Change.To)
				if cover.Takes(axis.Name, v.Name) || changed {
					releases = append(releases, v.Releases...)
				}
			}
		}
	}
	return sorted(kinds), sorted(releases)
}

// stating lists the patterns of the packages whose metadata states constraints.
func stating(cat *matrix.Catalog, kinds []matrix.Kind) []string {
	var patterns []string
	for _, axis := range cat.Axes {
		for _, kind := range kinds {
			patterns = append(patterns, axis.Packages[kind]...)
		}
	}
	return sorted(patterns)
}

// readRecords asks the sources of all releases, a few at a time.
func readRecords(ctx context.Context, releases, patterns []string, sources source.Sources) ([]matrix.Record, error) {
	records := make([][]matrix.Record, len(releases))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(listsAtOnce)
	for i, release := range releases {
		group.Go(func() error {
			src, err := sources.For(release)
			if err != nil {
				return fmt.Errorf("cannot read package records: %w", err)
			}
			records[i], err = src.Records(ctx, release, patterns)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return slices.Concat(records...), nil
}

// sorted returns the names in order, each once.
func sorted[T ~string](names []T) []T {
	names = slices.Sorted(slices.Values(names))
	return slices.Compact(names)
}
