package main

import (
	"bytes"

	"github.com/virtmatrix/virtmatrix/internal/journal"
	"github.com/virtmatrix/virtmatrix/internal/rundir"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// verbFunc is a verb that prepares what it judges.
type verbFunc func(*app) error

// Run prepares and judges.
func (f verbFunc) Run(a *app) error { return f(a) }

// shards stores the run as some machines would have made it that shared it.
func (s *site) shards(runs string, count int) (all []string, err error) {
	for n := 1; n <= count; n++ {
		part, err := s.cat.Cut(s.plan, matrix.Shard{Number: n, Count: count})
		if err != nil {
			return nil, err
		}
		d, err := s.shard(runs, n, part)
		if err != nil {
			return nil, err
		}
		all = append(all, d.Path())
	}
	return all, nil
}

func (s *site) shard(runs string, n int, part *matrix.Plan) (*rundir.Dir, error) {
	var answers []journal.Record
	for _, r := range s.answers {
		// What nobody planned was answered in the first shard.
		if c := part.Cell(r.Cell); c != nil && c.Asked() > 0 || n == 1 && s.plan.Cell(r.Cell) == nil {
			if r.Plan == s.plan.Hash {
				r.Plan = part.Hash
			}
			answers = append(answers, r)
		}
	}
	return s.write(runs, part, answers)
}

// merges has the shards of the run merged, after something happened to them.
func merges(happens func(s *site, runs string, shards []string) ([]string, error)) func(*site) {
	return func(s *site) {
		s.look, s.slow = nil, true
		s.verb = func(_ string, by ruling) verb {
			return verbFunc(func(a *app) error {
				all, err := s.shards(a.Runs, 3)
				if err == nil {
					all, err = happens(s, a.Runs, all)
				}
				if err != nil {
					return err
				}
				return (&mergeVerb{Shards: all, ruling: by}).Run(a)
			})
		}
	}
}

// named has some of the shards merged.
func named(choose func(shards []string) []string) func(*site) {
	return merges(func(_ *site, _ string, all []string) ([]string, error) { return choose(all), nil })
}

// again has the last shard run again, otherwise.
func again(otherwise func(s *site, part *matrix.Plan) error) func(*site) {
	return merges(func(s *site, runs string, all []string) ([]string, error) {
		part, err := s.cat.Cut(s.plan, matrix.Shard{Number: 3, Count: 3})
		if err == nil {
			err = otherwise(s, part)
		}
		if err != nil {
			return nil, err
		}
		d, err := s.shard(runs, 3, part)
		if err != nil {
			return nil, err
		}
		return append(all[:2], d.Path()), nil
	})
}

var shardFaults = []planted{
	{"shards of which none is lost", named(func(all []string) []string { return all }), "", "", 0, "SHIP"},
	{"a shard that is lost", named(func(all []string) []string { return all[1:] }), "", "", 2, "shard 1/3 is missing"},
	{"a shard that ran twice", named(func(all []string) []string { return append(all, all[0]) }), "", "", 2, "shard 1/3 ran twice"},
	{"two shards with one cell", again(func(s *site, part *matrix.Plan) error {
		part.Cells = s.plan.Cells
		return part.Seal()
	}), "", "", 2, "in shard 1/3"},
	{"a shard that asks less than the plan", again(func(s *site, part *matrix.Plan) error {
		part.Cells[0].Checks = part.Cells[0].Checks[:1]
		return part.Seal()
	}), "", "", 2, "asks other checks of"},
	{"a shard that lost its cells", again(func(s *site, part *matrix.Plan) error {
		part.Cells = nil
		return part.Seal()
	}), "", "", 2, "no shard has the cell"},
	{"a shard with other images in its plan", again(func(s *site, part *matrix.Plan) error {
		part.Cells[0].Images = nil
		return part.Seal()
	}), "", "", 2, "has other images of"},
	{"a shard that ran with other images", again(func(s *site, part *matrix.Plan) error {
		for i := range s.answers {
			if r := &s.answers[i]; r.Cell == part.Cells[0].ID {
				r.PackageSets = map[string]string{"userland-kvm": "another build"}
			}
		}
		return nil
	}), "", "", 2, "with other images than the plan has"},
	{"a shard of another plan", again(func(s *site, part *matrix.Plan) error {
		s.plan.Profile = "another"
		if err := s.plan.Seal(); err != nil {
			return err
		}
		cut, err := s.cat.Cut(s.plan, *part.Shard)
		*part = *cut
		return err
	}), "", "", 2, "plan once, and give each shard that file"},
	{"shards that were cut in two ways", again(func(s *site, part *matrix.Plan) error {
		part.Shard.Count = 4
		return part.Seal()
	}), "", "", 2, "the plan was cut in two ways"},
	{"a whole run among the shards", merges(func(s *site, runs string, all []string) ([]string, error) {
		d, err := s.write(runs, s.plan, nil)
		if err != nil {
			return nil, err
		}
		return append(all, d.Path()), nil
	}), "", "", 2, "is no run of a shard"},
	{"a shard whose answers were edited", merges(func(_ *site, _ string, all []string) ([]string, error) {
		return all, edit(all[0]+"/journal-1.ndjson", func(text []byte) []byte { return bytes.Replace(text, []byte(`"PASS"`), []byte(`"FAIL"`), 1) })
	}), "", "", 2, "the line was edited"},
	{"a shard that is judged alone", func(s *site) {
		part, err := s.cat.Cut(s.plan, matrix.Shard{Number: 1, Count: 1})
		if err == nil {
			*s.plan = *part
		}
		for i := range s.answers {
			s.answers[i].Plan = s.plan.Hash
		}
	}, "PASS", "", 2, "it is shard 1/1 of a plan"},
}
