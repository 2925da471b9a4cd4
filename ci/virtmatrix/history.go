package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/virtmatrix/virtmatrix/internal/rundir"
	"github.com/virtmatrix/virtmatrix/reports"
)

// tallyName is a file in a run's folder that says what its journal answers, in a hundredth of
// its size. It is made of the journal when it is missing, of a journal of another size, or of
// another version.
const (
	tallyName    = "tally.json"
	tallyVersion = 2
)

type storedTally struct {
	Version int           `json:"version"`
	Journal int64         `json:"journal"`
	Tally   reports.Tally `json:"tally"`
}

// remember notes how earlier runs answered what a run was asked.
func (j judge) remember(d *rundir.Dir, m *reports.Matrix) error {
	h, err := earlier(j.history, j.policy.Flakes.Runs, d.Path())
	if err == nil {
		m.Remember(h, filepath.Base(d.Path()))
	}
	return err
}

// earlier counts the answers of the newest runs in a folder and of its baselines, each once,
// but for one run. A run that cannot be read, as one of an older virtmatrix, counts nothing:
// the less is known of a check, the less is excused.
func earlier(runs string, newest int, but string) (reports.History, error) {
	h := reports.NewHistory()
	paths := map[string]string{}
	for _, dir := range append(globbed(runs, "baselines", "*"), runs) {
		names, err := rundir.List(dir)
		if err != nil {
			return h, err
		}
		for _, name := range names {
			paths[name] = filepath.Join(dir, name)
		}
	}
	if at, err := filepath.EvalSymlinks(absolute(runs)); err == nil && at == filepath.Dir(but) {
		delete(paths, filepath.Base(but)) // and what a baseline has of it
	}
	names := slices.Sorted(maps.Keys(paths)) // they begin with the time
	for _, name := range names[max(0, len(names)-newest):] {
		d, err := rundir.Open(paths[name])
		if err != nil {
			continue
		}
		if t, err := tally(d); err == nil {
			h.Add(name, t)
		}
	}
	return h, nil
}

func globbed(elem ...string) []string {
	paths, _ := filepath.Glob(filepath.Join(elem...)) // the pattern is ours
	return paths
}

// tally counts what a run answered. What was edited, or is about the checks, counts nothing.
func tally(d *rundir.Dir) (reports.Tally, error) {
	size := int64(0)
	for _, path := range globbed(d.Path("journal-*.ndjson")) {
		st, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		size += st.Size()
	}
	var stored storedTally
	text, err := os.ReadFile(d.Path(tallyName))
	if err == nil && json.Unmarshal(text, &stored) == nil && stored.Journal == size && stored.Version == tallyVersion {
		return stored.Tally, nil
	}
	stored = storedTally{Version: tallyVersion, Journal: size, Tally: reports.Tally{}}
	o, err := d.Options()
	if err != nil {
		return nil, err
	}
	m, err := unruled.run(d)
	if err != nil {
		return nil, err
	}
	if !o.Selftest && m.Damage.Err() == nil {
		stored.Tally = m.Tally()
	}
	// Where it cannot be stored it is counted again.
	_ = d.Write(tallyName, func(f *os.File) error { return json.NewEncoder(f).Encode(stored) })
	return stored.Tally, nil
}

// listFlakes lists what passes and fails with the same packages.
func (a *app) listFlakes(row table) error {
	policy := reports.DefaultPolicy().Flakes
	h, err := earlier(a.Runs, policy.Runs, "")
	if err != nil {
		return err
	}
	questions := slices.SortedFunc(maps.Keys(h.Rates), func(x, y reports.Question) int {
		return strings.Compare(x.Check+" "+x.Of, y.Check+" "+y.Of)
	})
	for _, q := range questions {
		r := h.Rates[q]
		if r.Passed == 0 || r.Passed == r.Asked {
			continue
		}
		word := ""
		if r.Flakes(policy.Rate) {
			word = fmt.Sprintf("flakes above %.0f %%: mend it, or quarantine it in the policy", 100*policy.Rate)
		}
		row(q.Check, q.Cell, r, word)
	}
	return nil
}
