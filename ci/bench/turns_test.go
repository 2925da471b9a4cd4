package main

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
)

// The machine is looked at before each sample, for a while that passes at once here.
func TestSidesAreSampledInTurn(t *testing.T) { synctest.Test(t, sidesAreSampledInTurn) }

func sidesAreSampledInTurn(t *testing.T) {
	var order []string
	take := func(name string) side {
		return side{name, func(context.Context) (map[string]float64, error) {
			order = append(order, name)
			return map[string]float64{"x": float64(len(order))}, nil
		}}
	}
	l := &lab{options: options{samples: 2}, progress: io.Discard}
	s, err := l.inTurn(t.Context(), "x", take(ours), take(plain))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(order, []string{ours, plain, ours, plain}) {
		t.Errorf("the order is %q", order)
	}
	r := rowOf(s, "x", plain, "what", inSeconds, nil)
	if !slices.Equal(r.Ours, []float64{1, 3}) || !slices.Equal(r.Plain, []float64{2, 4}) || len(r.Busy) != 4 {
		t.Errorf("the row is %+v", r)
	}
	if alone := rowOf(s, "x", "", "what", inSeconds, nil); len(alone.Plain) != 0 || len(alone.Busy) != 2 {
		t.Errorf("the row against nothing is %+v", alone)
	}
	fails := side{plain, func(context.Context) (map[string]float64, error) { return nil, errors.New("no qemu") }}
	if _, err := l.inTurn(t.Context(), "x", take(ours), fails); err == nil || !strings.Contains(err.Error(), "sample 1 of plain: no qemu") {
		t.Errorf("inTurn = %v", err)
	}
}

// scripted is a side whose samples end as they are told to, one after another.
func scripted(name string, order *[]string, ends ...error) side {
	n := 0
	return side{name, func(context.Context) (map[string]float64, error) {
		*order = append(*order, name)
		n++
		return map[string]float64{"x": float64(n)}, ends[n-1]
	}}
}

func TestATurnThatWasSpoiltIsTakenAgainAsAWhole(t *testing.T) {
	synctest.Test(t, aTurnThatWasSpoiltIsTakenAgainAsAWhole)
}

func aTurnThatWasSpoiltIsTakenAgainAsAWhole(t *testing.T) {
	stall := &spoiltError{"O-START ended in INFRA: it stalled\nand more"}
	failed := errors.New("O-START ended in FAIL")
	for name, tc := range map[string]struct {
		ours, plain []error
		order       []string
		says, notes string
		taken       int
	}{
		"none":         {[]error{nil, nil}, []error{nil, nil}, []string{ours, plain, ours, plain}, "", "", 2},
		"one of ours":  {[]error{nil, stall, nil}, []error{nil, nil}, []string{ours, plain, ours, ours, plain}, "", "1 of its turns were spoilt and taken again, all sides: sample 2 of ours: O-START ended in INFRA: it stalled", 2},
		"one of plain": {[]error{nil, nil, nil}, []error{stall, nil, nil}, []string{ours, plain, ours, plain, ours, plain}, "", "sample 1 of plain", 2},
		"too many":     {[]error{stall, nil, stall}, []error{stall}, []string{ours, ours, plain, ours}, "sample 1 of ours: O-START ended in INFRA", "2 of its turns", 0},
		"a failure":    {[]error{nil, failed}, []error{nil}, []string{ours, plain, ours}, "sample 2 of ours: O-START ended in FAIL", "", 1},
	} {
		var order []string
		l := &lab{options: options{samples: 2}, progress: io.Discard}
		s, err := l.inTurn(t.Context(), "x", scripted(ours, &order, tc.ours...), scripted(plain, &order, tc.plain...))
		if (err == nil) != (tc.says == "") || err != nil && !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v, want %q", name, err, tc.says)
		}
		if !slices.Equal(order, tc.order) {
			t.Errorf("%s: the order is %q, want %q", name, order, tc.order)
		}
		if notes := strings.Join(s.notes(), "\n"); !strings.Contains(notes, tc.notes) || (notes == "") != (tc.notes == "") || strings.Contains(notes, "more") {
			t.Errorf("%s: the notes are %q, want %q", name, notes, tc.notes)
		}
		if s.wanted != 2 || len(s.samples[ours]) != tc.taken || len(s.samples[plain]) != tc.taken {
			t.Errorf("%s: of %d samples there are %v, want %d of each side", name, s.wanted, s.samples, tc.taken)
		}
	}
}
