package rundir

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
)

// wishName is the file of what a run is asked for beyond its plan.
const wishName = "wish.json"

// Wish is what a run is asked for beyond its plan. It counts also when the run
// goes on after a kill.
type Wish struct {
	// Fresh has every check asked, whatever the cache of verdicts answers.
	Fresh bool `json:"fresh,omitempty"`
	// Keep keeps the evidence of passes too.
	Keep bool `json:"keep,omitempty"`
}

// Wish returns what the run is asked for. A run without the file has no wish.
func (d *Dir) Wish() (w Wish, err error) {
	text, err := os.ReadFile(d.Path(wishName))
	if errors.Is(err, os.ErrNotExist) {
		return Wish{}, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &w)
	}
	if err != nil {
		return Wish{}, fmt.Errorf("cannot read %s: %w", d.Path(wishName), err)
	}
	return w, nil
}

// AddWish adds to what the run is asked for, and returns all of it.
func (d *Dir) AddWish(more Wish) (Wish, error) {
	w, err := d.Wish()
	if err != nil {
		return w, err
	}
	all := Wish{Fresh: w.Fresh || more.Fresh, Keep: w.Keep || more.Keep}
	if all == w {
		return w, nil
	}
	return all, d.Write(wishName, func(f *os.File) error { return json.NewEncoder(f).Encode(all) })
}
