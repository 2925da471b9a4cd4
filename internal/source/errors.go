package source

import (
	"context"
	"errors"
	"fmt"

	"github.com/virtmatrix/virtmatrix/internal/store/disk"
)

// Kind says what is wrong between us and a repository.
type Kind string

// The kinds of Error.
const (
	// Unreachable: the mirror does not answer.
	Unreachable Kind = "mirror unreachable"
	// NotServed: the mirror answers, but has no such release or file.
	NotServed Kind = "not served"
	// BadSignature: metadata is not signed by a key we trust.
	BadSignature Kind = "bad signature"
	// Expired: metadata is past the date until which it is valid.
	Expired Kind = "expired"
	// BadDigest: a file is not what signed metadata says it is.
	BadDigest Kind = "bad digest"
	// NoSuchPackage: no package of that name in the release.
	NoSuchPackage Kind = "no such package"
	// Unsatisfiable: the packages exist but cannot be installed together.
	Unsatisfiable Kind = "unsatisfiable"
	// BadScriptlet: what a package runs when it is installed failed.
	BadScriptlet Kind = "a package's scriptlet failed"
	// Failed: anything else.
	Failed Kind = "failed"
)

// Error is a failure to get packages, with what a person can do about it.
type Error struct {
	Kind    Kind
	Op      string
	Release string
	Mirror  string
	// Cure is what to do, as an imperative clause.
	Cure string
	Err  error
}

// Error returns "cannot OP of RELEASE from MIRROR: cause; CURE".
func (e *Error) Error() string {
	s := fmt.Sprintf("cannot %s of %s from %s: %s: %v", e.Op, e.Release, e.Mirror, e.Kind, e.Err)
	if e.Cure != "" {
		s += "; " + e.Cure
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Fail makes the one kind of error that leaves a source for trouble with a repository.
// Cancellation and a full disk of the cache folder stay what they are.
func Fail(home string, e Error) error {
	e.Err = disk.Explain(e.Err, home)
	var full *disk.FullError
	if errors.As(e.Err, &full) || errors.Is(e.Err, context.Canceled) || errors.Is(e.Err, context.DeadlineExceeded) {
		return fmt.Errorf("cannot %s of %s: %w", e.Op, e.Release, e.Err)
	}
	return &e
}
