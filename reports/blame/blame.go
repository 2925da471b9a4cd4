// Package blame finds out which parts of two stacks make a check fail on one that passes on
// the other: by reverting one part at a time, and pairs where no single one explains it.
//
// It is a pure search over answers. What was seen is asked again first, on both sides, and so
// is each answer that decides: a check that does not fail each time blames nothing.
package blame

import (
	"context"
	"fmt"
	"strings"
)

// Part is what two stacks differ in, and what moves as one.
type Part struct {
	Name string
	// Values are what it was first, what it is last, and the versions between, in order.
	Values []string
}

// Stack has for each part the position of its value.
type Stack []int

// Answer is what a check said on a stack.
type Answer int

// The answers. Other is a failure in other words, None no answer about the product, and
// Impossible a stack that cannot be.
const (
	None Answer = iota
	Green
	Red
	Other
	Impossible
)

// String returns the answer in a word or two.
func (a Answer) String() string {
	return []string{"no answer", "passes", "fails so", "fails otherwise", "cannot be"}[a]
}

// Asker asks the check on stacks, once for each time that a stack is among them.
type Asker interface {
	Ask(ctx context.Context, stacks []Stack) ([]Answer, error)
}

// Outcome is how a search ended.
type Outcome string

// The outcomes.
const (
	// Single: one part makes the difference, whatever the others are.
	Single Outcome = "one part"
	// Interaction: several parts make it together, and none of them alone.
	Interaction Outcome = "an interaction"
	// Either: each of the parts makes it alone.
	Either Outcome = "either of several parts"
	// Together: the parts cannot be moved apart.
	Together Outcome = "parts that move together"
	// Flaky: the check does not always answer the same.
	Flaky Outcome = "a flake"
	// Gone: a side does not answer any more as it did.
	Gone Outcome = "not reproduced"
	// Untold: no revert of one or two parts explains it, or answers are missing.
	Untold Outcome = "not told"
)

// Blamed is a part that is blamed, and the two values between which it turned: neighbours,
// where each version between was asked.
type Blamed struct {
	Part     int
	Was, Now int
}

// Asked is how often a stack gave each answer.
type Asked struct {
	Stack   Stack
	Answers []Answer
}

// Result is what a search found, and what it is founded on.
type Result struct {
	Outcome Outcome
	Blamed  []Blamed
	// Why says what the outcome does not.
	Why   string
	Asked []Asked
}

// maxParts bounds the sets of parts.
const maxParts = 16

// Search blames. times is how often each answer that decides is asked.
func Search(ctx context.Context, parts []Part, times int, asker Asker) (Result, error) {
	if len(parts) == 0 || len(parts) > maxParts {
		return Result{}, fmt.Errorf("cannot blame one of %d parts", len(parts))
	}
	s := &search{ctx: ctx, parts: parts, times: times, asker: asker}
	r, err := s.blame()
	r.Asked = s.asked
	return r, err
}

// Words names a stack by its parts: "qemu 11.1, libvirt 11.3".
func Words(parts []Part, stack Stack) string {
	var words []string
	for p, v := range stack {
		words = append(words, parts[p].Name+" "+parts[p].Values[v])
	}
	return strings.Join(words, ", ")
}

func count(answers []Answer, of Answer) (n int) {
	for _, a := range answers {
		if a == of {
			n++
		}
	}
	return n
}

// Tell counts answers: "fails so in 2 of 3, passes in 1 of 3".
func Tell(answers []Answer) string {
	var words []string
	for a := None; a <= Impossible; a++ {
		if n := count(answers, a); n > 0 {
			words = append(words, fmt.Sprintf("%s in %d of %d", a, n, len(answers)))
		}
	}
	return strings.Join(words, ", ")
}
