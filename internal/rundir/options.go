package rundir

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
)

const optionsName = "options.json"

// Options are what a run is asked for beyond its plan. They count also when the run
// goes on after a kill.
type Options struct {
	// Fresh has every check asked, whatever the cache of verdicts answers.
	Fresh bool `json:"fresh,omitempty"`
	// Keep keeps the evidence of passes too.
	Keep bool `json:"keep,omitempty"`
	// Selftest runs each check under its control, which it must see.
	Selftest bool `json:"selftest,omitempty"`
	// Seed decides the order of the checks of a cell; 0 is the plan's order.
	Seed uint64 `json:"seed,omitempty"`
}

// Options returns the options of the run. A run without the file has none.
func (d *Dir) Options() (o Options, err error) {
	text, err := os.ReadFile(d.Path(optionsName))
	if errors.Is(err, os.ErrNotExist) {
		return Options{}, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &o)
	}
	if err != nil {
		return Options{}, fmt.Errorf("cannot read %s: %w", d.Path(optionsName), err)
	}
	return o, nil
}

// AddOptions adds to the options of the run, and returns all of them.
func (d *Dir) AddOptions(more Options) (Options, error) {
	old, err := d.Options()
	if err != nil {
		return old, err
	}
	all := Options{Fresh: old.Fresh || more.Fresh, Keep: old.Keep || more.Keep, Selftest: old.Selftest || more.Selftest, Seed: cmp.Or(old.Seed, more.Seed)}
	if all == old {
		return old, nil
	}
	return all, d.Write(optionsName, func(f *os.File) error { return json.NewEncoder(f).Encode(all) })
}
