package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
)

// sample is what was measured once.
type sample struct {
	// Values are the figures by name, in the units of the rows they end up in.
	Values map[string]float64
	// Busy is how many processors others kept busy just before, and Load the
	// machine's load average over the last minute.
	Busy, Load float64
}

// The sides that are sampled in turn.
const (
	ours  = "ours"
	plain = "plain"
)

// side is something to sample.
type side struct {
	name string
	take taker
}

// taker takes one sample and returns its figures.
type taker func(context.Context) (map[string]float64, error)

// series are samples by side, in the order they were taken.
type series struct {
	samples map[string][]sample
	// wanted is how many of each there are to be.
	wanted int
	// spoilt says of each turn that was taken again why.
	spoilt []string
}

// judging is the same series with another side in the place of ours.
func (s series) judging(side string) series {
	s.samples = maps.Clone(s.samples)
	s.samples[ours] = s.samples[side]
	return s
}

// notes tell of the turns that were taken again.
func (s series) notes() []string {
	if len(s.spoilt) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%d of its turns were spoilt and taken again, all sides: %s", len(s.spoilt), strings.Join(s.spoilt, "; "))}
}

// spoiltError says that a sample is none because the machine spoilt it, and not
// what is measured. Emulated processors can lose each other's interrupts, and then
// stand still on either side.
type spoiltError struct{ why string }

// Error is the first line of what happened.
func (e *spoiltError) Error() string { return firstLine(e.why) }

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

// spareTurns is how many turns of a series are taken again: what is spoilt more
// often is no accident.
const spareTurns = 2

// inTurn samples the sides in turn. A turn of which a sample was spoilt is taken
// again as a whole, so that the samples of a pair are of the same time. figure is
// the one that people are told of on the way. With an error come the samples of the
// turns before.
func (l *lab) inTurn(ctx context.Context, figure string, sides ...side) (series, error) {
	s := series{samples: map[string][]sample{}, wanted: l.samples}
	for n := 1; n <= l.samples; {
		turn, err := l.turn(ctx, n, figure, sides)
		if spoilt := new(spoiltError); errors.As(err, &spoilt) && len(s.spoilt) < spareTurns {
			l.say("to be taken again: %v", err)
			s.spoilt = append(s.spoilt, err.Error())
			continue
		}
		if err != nil {
			return s, err
		}
		for i, side := range sides {
			s.samples[side.name] = append(s.samples[side.name], turn[i])
		}
		n++
	}
	return s, nil
}

// turn takes the nth sample of each side.
func (l *lab) turn(ctx context.Context, n int, figure string, sides []side) ([]sample, error) {
	var turn []sample
	for _, side := range sides {
		one, err := observe(ctx, side.take)
		if err != nil {
			return nil, fmt.Errorf("sample %d of %s: %w", n, side.name, err)
		}
		turn = append(turn, one)
		l.say("sample %d of %d, %s: %.2f", n, l.samples, side.name, one.Values[figure])
	}
	return turn, nil
}

// observe looks at the machine and takes a sample.
func observe(ctx context.Context, take taker) (s sample, err error) {
	if s.Busy, s.Load, err = look(); err != nil {
		return s, err
	}
	s.Values, err = take(ctx)
	return s, cmp.Or(ctx.Err(), err)
}
