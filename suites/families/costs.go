package families

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/virtmatrix/virtmatrix/internal/journal"
	"github.com/virtmatrix/virtmatrix/internal/rundir"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// Costs are what checks cost by ID and tier, in seconds.
type Costs map[string]map[matrix.Tier]float64

// Measured returns the median seconds of each check on each tier in the journals of
// runs. Answers that the run did not give count nothing, and those that needed a second
// attempt have two in their time.
func Measured(runs ...string) (Costs, error) {
	type place struct {
		check string
		tier  matrix.Tier
	}
	samples := map[place][]float64{}
	for _, path := range runs {
		records, err := measurable(path)
		if err != nil {
			return nil, fmt.Errorf("cannot measure costs: %s: %w", path, err)
		}
		for _, r := range records {
			if (r.Verdict == matrix.Pass || r.Verdict == matrix.Fail) && r.Cached == nil && r.Attempts == 1 {
				at := place{r.Check, r.Tier}
				samples[at] = append(samples[at], r.Seconds)
			}
		}
	}
	costs := Costs{}
	for at, s := range samples {
		if costs[at.check] == nil {
			costs[at.check] = map[matrix.Tier]float64{}
		}
		costs[at.check][at.tier] = math.Round(median(s)*10) / 10
	}
	return costs, nil
}

// measurable reads the journal of a run whose times are those of a plan's checks.
func measurable(path string) ([]journal.Record, error) {
	dir, err := rundir.Open(path)
	if err != nil {
		return nil, err
	}
	switch o, err := dir.Options(); {
	case err != nil:
		return nil, err
	case o.Selftest:
		return nil, errors.New("it is a selftest, whose checks run under their controls; name another run")
	}
	records, damage, err := journal.Read(dir.Path())
	if err != nil {
		return nil, err
	}
	return records, damage.Err()
}

func median(s []float64) float64 {
	slices.Sort(s)
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}
