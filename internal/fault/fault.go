// Package fault holds the two kinds of failure that must never be mixed up:
// the product did not behave, or we (or the machine) did not.
//
// The kind is decided where an error is born. An error that nobody classified
// counts as ours: it never turns a cell red and never turns it green.
package fault

import (
	"context"
	"errors"
	"fmt"

	"github.com/virtmatrix/virtmatrix/matrix"
)

// Product is a failure of the stack under test.
type Product struct {
	// Layer is where in the tower it failed.
	Layer matrix.Layer
	// Op is what was tried, as in "start domain".
	Op  string
	Err error
}

// Error returns "cannot OP: cause".
func (p *Product) Error() string { return describe(p.Op, p.Err) }

// Unwrap returns the cause.
func (p *Product) Unwrap() error { return p.Err }

// Infra is a failure of the harness or of the machine it runs on.
type Infra struct {
	Op  string
	Err error
}

// Error returns "cannot OP: cause".
func (i *Infra) Error() string { return describe(i.Op, i.Err) }

// Unwrap returns the cause.
func (i *Infra) Unwrap() error { return i.Err }

// Unmet says that what a check requires before it can ask its question could not be
// had. Where that is the product's fault the check is blocked.
type Unmet struct {
	// What is required, as in "a running guest"; Check is the one that asks about it.
	What, Check string
	Err         error
}

// Error names the requirement and why it is not met.
func (u *Unmet) Error() string {
	return fmt.Sprintf("requires %s, and none could be had: %v", u.What, u.Err)
}

// Unwrap returns the cause.
func (u *Unmet) Unwrap() error { return u.Err }

func describe(op string, err error) string {
	if err == nil {
		return "cannot " + op
	}
	return fmt.Sprintf("cannot %s: %v", op, err)
}

// Productf makes a product fault. The format may wrap an error with %w.
func Productf(layer matrix.Layer, op, format string, args ...any) error {
	return &Product{Layer: layer, Op: op, Err: fmt.Errorf(format, args...)}
}

// Infraf makes an infrastructure fault. The format may wrap an error with %w.
func Infraf(op, format string, args ...any) error {
	return &Infra{Op: op, Err: fmt.Errorf(format, args...)}
}

// OrInfra returns an error as it is when it was classified where it was born, and
// otherwise makes it ours.
func OrInfra(op string, err error) error {
	var product *Product
	var ours *Infra
	if errors.As(err, &product) || errors.As(err, &ours) {
		return err
	}
	return Infraf(op, "%w", err)
}

// Cause prefers the reason why something was called off to how that showed.
func Cause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// Classify returns the verdict and the layer of an error: the outermost
// classified error in its chain decides, and an unclassified one is Infra. Of
// errors that were joined, a fault of ours decides over one of the product:
// what failed beside us proves nothing.
func Classify(err error) (matrix.Verdict, matrix.Layer) {
	if err == nil {
		return matrix.Pass, ""
	}
	if v, layer, ok := outermost(err); ok {
		return v, layer
	}
	return matrix.Infra, matrix.LayerHarness
}

// outermost looks for the first classified error from the outside in.
func outermost(err error) (v matrix.Verdict, layer matrix.Layer, ok bool) {
	switch e := err.(type) {
	case *Product:
		return matrix.Fail, e.Layer, true
	case *Infra:
		return matrix.Infra, matrix.LayerHarness, true
	case *Unmet:
		if v, layer, ok = outermost(e.Err); v == matrix.Fail {
			v = matrix.Blocked
		}
		return v, layer, ok
	case interface{ Unwrap() error }:
		return outermost(e.Unwrap())
	case interface{ Unwrap() []error }:
		for _, joined := range e.Unwrap() {
			got, at, classified := outermost(joined)
			if classified && (!ok || got == matrix.Infra) {
				v, layer, ok = got, at, true
			}
		}
	}
	return v, layer, ok
}
