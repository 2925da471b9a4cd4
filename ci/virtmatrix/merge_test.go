package main

import (
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/virtmatrix/virtmatrix/internal/rundir"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/reports"
)

func plantedRuns(t *testing.T) (*matrix.Catalog, []plantedRun) {
	t.Helper()
	cat, err := matrix.Default()
	if err != nil {
		t.Fatal(err)
	}
	runs, err := plantAll(cat, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return cat, runs
}

// TestShardsThatAreMergedAreOneRun: whatever is wrong with a run, it is judged the same,
// verdict by verdict, when several machines shared it.
func TestShardsThatAreMergedAreOneRun(t *testing.T) {
	cat, runs := plantedRuns(t)
	for i := range runs {
		r := &runs[i]
		if r.site.spoil != nil || r.site.look == nil {
			continue // of one journal, or of shards already
		}
		dir := filepath.Dir(r.dir.Path())
		shards, err := r.site.shards(dir, 1+i%4)
		if err != nil {
			t.Fatal(err)
		}
		var all []shardRun
		for _, name := range shards {
			s, err := (&app{}).openShard(name)
			if err != nil {
				t.Fatalf("%s: %v", r.name, err)
			}
			all = append(all, s)
		}
		if err := complete(all); err != nil {
			t.Fatalf("%s: %v", r.name, err)
		}
		merged, err := merge(dir, all)
		if err != nil {
			t.Fatalf("%s: %v", r.name, err)
		}
		j, err := r.by.read(&app{cat: cat})
		if err != nil {
			continue // such rules judge neither
		}
		judged := func(d *rundir.Dir) *reports.Matrix {
			m, err := j.run(d)
			if err != nil {
				t.Fatalf("%s: %v", r.name, err)
			}
			// The merged run began after the runs of the history.
			for i := range m.Results {
				m.Results[i].Trail = nil
			}
			return m
		}
		if diff := cmp.Diff(judged(r.dir), judged(merged), cmp.AllowUnexported(reports.Result{})); diff != "" {
			t.Errorf("%s: one run and %d shards differ:\n%s", r.name, len(shards), diff)
		}
	}
}
