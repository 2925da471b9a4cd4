package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// figures are what a sample measured, by name: seconds, bytes or counts.
type figures map[string]float64

// side is something to sample.
type side struct {
	name string
	take func(context.Context) (figures, error)
}

// The sides of most measures.
const (
	ours  = "ours"
	plain = "plain"
)

// series are the samples of a measure by side, in the order they were taken.
type series struct {
	samples map[string][]figures
	// wanted is how many of each side there are to be.
	wanted int
	// spoilt says of each turn that was taken again why.
	spoilt []string
}

// of returns one figure of all samples of a side.
func (s series) of(side, name string) (values []float64) {
	for _, f := range s.samples[side] {
		if v, ok := f[name]; ok {
			values = append(values, v)
		}
	}
	return values
}

// errSpoilt says that a sample is none because the machine spoilt it, and not what
// is measured. Emulated processors can lose each other's interrupts, and then stand
// still on either side.
var errSpoilt = errors.New("spoilt by the machine")

// spareTurns is how many turns of a series are taken again: what is spoilt more
// often is no accident.
const spareTurns = 2

// take samples the sides in turn, and says how it gets on. A turn of which a sample
// was spoilt is taken again as a whole, so that the samples of a pair are of the
// same time.
func (s *series) take(ctx context.Context, sides []side, say func(format string, args ...any)) error {
	s.samples = map[string][]figures{}
	for n := 1; n <= s.wanted; n++ {
		turn, err := make([]figures, len(sides)), error(nil)
		for i, side := range sides {
			if turn[i], err = side.take(ctx); err != nil {
				err = fmt.Errorf("sample %d of %s: %w", n, side.name, err)
				break
			}
			say("sample %d of %d, %s: %.4v", n, s.wanted, side.name, turn[i])
		}
		if errors.Is(err, errSpoilt) && len(s.spoilt) < spareTurns && ctx.Err() == nil {
			say("to be taken again: %v", err)
			s.spoilt = append(s.spoilt, strings.ReplaceAll(err.Error(), "\n", ": "))
			n--
			continue
		}
		if err != nil {
			return err
		}
		for i, side := range sides {
			s.samples[side.name] = append(s.samples[side.name], turn[i])
		}
	}
	return nil
}
