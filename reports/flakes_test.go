package reports

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestWilsonsInterval(t *testing.T) {
	for _, c := range []struct {
		rate      Rate
		low, high float64
	}{ // by R: binom.confint(x, n, methods = "wilson")
		{Rate{0, 0}, 0, 1}, {Rate{0, 10}, 0, .2775}, {Rate{10, 10}, .7225, 1}, {Rate{17, 20}, .6396, .9476}, {Rate{50, 100}, .4038, .5962},
	} {
		if low, high := c.rate.Interval(); math.Abs(low-c.low) > 5e-4 || math.Abs(high-c.high) > 5e-4 {
			t.Errorf("%v of %d: %.4f to %.4f, want %.4f to %.4f", c.rate.Passed, c.rate.Asked, low, high, c.low, c.high)
		}
	}
}

// The interval has the true share in it about as often as it says.
func TestTheIntervalHoldsTheTruth(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 7))
	const trials = 4000
	for _, n := range []int{5, 20, 100} {
		for _, share := range []float64{.5, .8, .95} {
			in := 0
			for range trials {
				r := Rate{Asked: n}
				for range n {
					if rnd.Float64() < share {
						r.Passed++
					}
				}
				if low, high := r.Interval(); low <= share && share <= high {
					in++
				}
			}
			if got := float64(in) / trials; got < .89 {
				t.Errorf("%d answers, of which %.0f %% pass: the interval has it in %.1f %%", n, 100*share, 100*got)
			}
		}
	}
}

func TestWhatFlakes(t *testing.T) {
	for _, c := range []struct {
		rate Rate
		want bool
	}{
		{Rate{0, 0}, false}, {Rate{10, 10}, false}, {Rate{0, 10}, false}, {Rate{9, 10}, false}, {Rate{8, 10}, true}, {Rate{1, 2}, true}, {Rate{95, 100}, false}, {Rate{80, 100}, true},
	} {
		if got := c.rate.Flakes(.05); got != c.want {
			t.Errorf("%s: %v", c.rate, got)
		}
	}
}
