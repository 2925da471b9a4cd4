package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/journal"
	"github.com/virtmatrix/virtmatrix/internal/run"
	"github.com/virtmatrix/virtmatrix/internal/rundir"
	"github.com/virtmatrix/virtmatrix/matrix"
)

type mergeVerb struct {
	Shards []string `arg:"" name:"run" help:"The runs of all shards of one plan."`
	ruling
}

// Help is what virtmatrix merge --help says beyond the flags.
func (*mergeVerb) Help() string {
	return `Makes one run of the runs of all shards of a plan (virtmatrix run -shard), and judges it: verdict by verdict it is the run that one machine would have made. A shard that is missing, was run twice, is of another plan or has other packages is an error, and nothing is judged. The exit code is that of virtmatrix gate.

Examples:
  virtmatrix merge runs/*-shard-*
  virtmatrix merge shard-1 shard-2 shard-3 -policy gate.yaml`
}

// Run merges and judges.
func (v *mergeVerb) Run(a *app) error {
	if _, err := v.ruling.read(a); err != nil {
		return err
	}
	var all []shardRun
	for _, name := range v.Shards {
		s, err := a.openShard(name)
		if err != nil {
			return fmt.Errorf("cannot merge: %w", err)
		}
		all = append(all, s)
	}
	if err := complete(all); err != nil {
		return fmt.Errorf("cannot merge: %w", err)
	}
	r := &runner{app: a, began: time.Now(), plan: all[0].whole, resumed: true}
	var err error
	if r.dir, err = merge(a.Runs, all); err != nil {
		return fmt.Errorf("cannot merge: %w", err)
	}
	return r.judge(v.ruling)
}

// shardRun is the run of a shard.
type shardRun struct {
	*matrix.Shard
	name        string
	dir         *rundir.Dir
	plan, whole *matrix.Plan
	options     rundir.Options
	answers     []journal.Record
	damage      journal.Damage
}

// openShard reads the run of a shard.
func (a *app) openShard(name string) (s shardRun, err error) {
	if s.dir, err = a.openRun(name); err != nil {
		return s, err
	}
	s.name = short(s.dir.Path())
	if s.plan, err = s.dir.ReadPlan(); err != nil {
		return s, err
	}
	if s.Shard = s.plan.Shard; s.Shard == nil {
		return s, fmt.Errorf("%s is no run of a shard; those are made with: virtmatrix run -shard NUMBER/COUNT", s.name)
	}
	if s.whole, err = rundir.ReadPlan(s.dir.Whole()); err != nil {
		return s, err
	}
	if s.whole.Hash != s.Plan {
		return s, fmt.Errorf("%s: shard %s was cut of the plan %.12s, and beside it lies %.12s", s.name, s, s.Plan, s.whole.Hash)
	}
	if s.options, err = s.dir.Options(); err != nil {
		return s, err
	}
	if s.answers, s.damage, err = run.Answers(s.dir); err == nil && s.damage.Err() != nil {
		err = fmt.Errorf("%s: %w", s.name, s.damage.Err())
	}
	return s, err
}

// complete says why some runs are not all shards of one plan, each once.
func complete(all []shardRun) error {
	first, byNumber, owner := all[0], map[int]string{}, map[string]shardRun{}
	for _, s := range all {
		switch {
		case s.Plan != first.Plan:
			return fmt.Errorf("%s is of the plan %.12s, and %s of the plan %.12s; plan once, and give each shard that file (virtmatrix plan -o FILE, virtmatrix run -plan FILE -shard %s)", s.name, s.Plan, first.name, first.Plan, s)
		case s.Count != first.Count:
			return fmt.Errorf("%s is shard %s, and %s is %s: the plan was cut in two ways", s.name, s, first.name, first)
		case byNumber[s.Number] != "":
			return fmt.Errorf("shard %s ran twice: %s and %s; name one of them", s, byNumber[s.Number], s.name)
		case s.options != first.options:
			return fmt.Errorf("%s and %s were run with other options: %+v and %+v", s.name, first.name, s.options, first.options)
		}
		byNumber[s.Number] = s.name
		if err := s.owns(owner); err != nil {
			return err
		}
	}
	for n := 1; n <= first.Count; n++ {
		if byNumber[n] == "" {
			return fmt.Errorf("shard %d/%d is missing; run it with: virtmatrix run -plan %s -shard %d/%d", n, first.Count, short(first.dir.Whole()), n, first.Count)
		}
	}
	for _, c := range first.whole.Cells {
		if _, ok := owner[c.ID]; !ok && c.Asked() > 0 {
			return fmt.Errorf("no shard has the cell %s; %s", c.ID, recut)
		}
	}
	return nil
}

// recut is the cure for shards that overlap or differ from their plan.
const recut = "the shards were cut by different versions of virtmatrix; run all with one"

// owns notes the cells of the shard, and says what of them is not as the whole plan has it.
func (s *shardRun) owns(owner map[string]shardRun) error {
	for i := range s.plan.Cells {
		c := &s.plan.Cells[i]
		if c.Asked() == 0 {
			continue // at most another cell's checks need what it has
		}
		if o, ok := owner[c.ID]; ok {
			return fmt.Errorf("the cell %s is in shard %s (%s) and in shard %s (%s); %s", c.ID, o.Shard, o.name, s, s.name, recut)
		}
		owner[c.ID] = *s
		planned := s.whole.Cell(c.ID)
		if planned == nil || planned.Asked() != c.Asked() {
			return fmt.Errorf("%s asks other checks of %s than the plan; %s", s.name, c.ID, recut)
		}
		if !reflect.DeepEqual(planned.Images, c.Images) {
			return fmt.Errorf("%s has other images of %s than the plan; %s", s.name, c.ID, recut)
		}
	}
	for i := range s.answers {
		r := &s.answers[i]
		c := s.whole.Cell(r.Cell)
		if c == nil || len(r.PackageSets) == 0 {
			continue
		}
		if want := journal.Ask(s.whole, c, matrix.PlannedCheck{}).PackageSets; !maps.Equal(r.PackageSets, want) {
			return fmt.Errorf("%s answers %s of %s with other images than the plan has; run shard %s again", s.name, r.Check, r.Cell, s)
		}
	}
	return nil
}

// merge makes the run of the whole plan: the shards' answers, notes and evidence.
func merge(runs string, all []shardRun) (*rundir.Dir, error) {
	whole := all[0].whole
	d, err := rundir.New(runs, whole.Profile)
	if err != nil {
		return nil, err
	}
	if _, err := d.AddOptions(all[0].options); err != nil {
		return nil, err
	}
	for i := range all {
		if err := all[i].into(d); err != nil {
			return nil, err
		}
	}
	return d, d.WritePlan(whole)
}

// into adds what the shard found.
func (s *shardRun) into(d *rundir.Dir) error {
	notes, err := s.dir.Notes()
	if err != nil {
		return err
	}
	for _, at := range s.damage { // what was cut off is missing
		notes = append(notes, fmt.Sprintf("shard %s: %s", s, at))
	}
	for _, text := range notes {
		if err := d.Note(text); err != nil {
			return err
		}
	}
	for i := range s.answers {
		if r := &s.answers[i]; r.Plan == s.plan.Hash {
			r.Plan = s.whole.Hash
		}
	}
	w, err := journal.Open(d.Path(), s.Number)
	if err != nil {
		return err
	}
	if err := errors.Join(w.AppendAll(s.answers), w.Close()); err != nil {
		return err
	}
	const cells = "cells"
	if err := os.CopyFS(d.Path(cells), os.DirFS(s.dir.Path(cells))); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot take evidence of %s: %w", filepath.Base(s.dir.Path()), err)
	}
	return nil
}
