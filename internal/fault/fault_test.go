package fault

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/virtmatrix/virtmatrix/matrix"
)

var (
	product = Productf(matrix.LayerKernel, "boot host", "it panicked")
	ours    = Infraf("write journal", "disk full")
	plain   = errors.New("file already closed")
)

func TestClassify(t *testing.T) {
	for name, tc := range map[string]struct {
		err     error
		verdict matrix.Verdict
		layer   matrix.Layer
	}{
		"nothing":                           {nil, matrix.Pass, ""},
		"product":                           {product, matrix.Fail, matrix.LayerKernel},
		"ours":                              {ours, matrix.Infra, matrix.LayerHarness},
		"unclassified is ours":              {plain, matrix.Infra, matrix.LayerHarness},
		"deadline is ours":                  {context.DeadlineExceeded, matrix.Infra, matrix.LayerHarness},
		"wrapped product":                   {fmt.Errorf("cannot run check: %w", product), matrix.Fail, matrix.LayerKernel},
		"wrapped twice":                     {fmt.Errorf("b: %w", fmt.Errorf("a: %w", ours)), matrix.Infra, matrix.LayerHarness},
		"product that wraps ours":           {Productf(matrix.LayerL2, "say hello", "%w", ours), matrix.Fail, matrix.LayerL2},
		"ours that wraps product":           {Infraf("watch console", "%w", product), matrix.Infra, matrix.LayerHarness},
		"wrapped product that wraps ours":   {fmt.Errorf("x: %w", Productf(matrix.LayerL2, "say hello", "%w", ours)), matrix.Fail, matrix.LayerL2},
		"product joined with unclassified":  {errors.Join(product, plain), matrix.Fail, matrix.LayerKernel},
		"unclassified joined with product":  {errors.Join(plain, product), matrix.Fail, matrix.LayerKernel},
		"product joined with ours":          {errors.Join(product, ours), matrix.Infra, matrix.LayerHarness},
		"ours joined with product":          {errors.Join(ours, product), matrix.Infra, matrix.LayerHarness},
		"unclassified errors joined":        {errors.Join(plain, plain), matrix.Infra, matrix.LayerHarness},
		"first of two products":             {errors.Join(product, Productf(matrix.LayerL2, "tick", "no")), matrix.Fail, matrix.LayerKernel},
		"two wrapped with one format":       {fmt.Errorf("cannot ask: %w: %w", plain, product), matrix.Fail, matrix.LayerKernel},
		"join within a wrapped join":        {fmt.Errorf("x: %w", errors.Join(plain, errors.Join(product, plain))), matrix.Fail, matrix.LayerKernel},
		"product that holds a join of ours": {&Product{Layer: matrix.LayerL2, Op: "tick", Err: errors.Join(ours, plain)}, matrix.Fail, matrix.LayerL2},
	} {
		if v, layer := Classify(tc.err); v != tc.verdict || layer != tc.layer {
			t.Errorf("%s: Classify = %s in %q, want %s in %q", name, v, layer, tc.verdict, tc.layer)
		}
	}
}

func TestFaultsSayWhatCouldNotBeDoneAndKeepTheirCause(t *testing.T) {
	for _, tc := range []struct {
		err  error
		want string
	}{
		{Productf(matrix.LayerL2, "start domain", "%w", plain), "cannot start domain: file already closed"},
		{Infraf("start emulator", "%w", plain), "cannot start emulator: file already closed"},
		{&Product{Op: "start domain"}, "cannot start domain"},
	} {
		if got := tc.err.Error(); got != tc.want {
			t.Errorf("Error() = %q, want %q", got, tc.want)
		}
	}
	if !errors.Is(Productf(matrix.LayerL2, "x", "%w", plain), plain) || !errors.Is(Infraf("x", "%w", plain), plain) {
		t.Error("a fault hides its cause")
	}
}
