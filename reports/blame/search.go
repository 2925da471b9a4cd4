package blame

import (
	"context"
	"math"
	"slices"
)

type search struct {
	ctx   context.Context
	parts []Part
	times int
	asker Asker
	asked []Asked
}

// set is a set of parts.
type set uint

func of(parts ...int) (s set) {
	for _, p := range parts {
		s |= 1 << p
	}
	return s
}

func (s set) parts() (all []int) {
	for p := range maxParts {
		if s&(1<<p) != 0 {
			all = append(all, p)
		}
	}
	return all
}

func (s *search) all() set { return 1<<len(s.parts) - 1 }

// now is the stack that has some parts as they are, and the rest as they were.
func (s *search) now(moved set) Stack {
	stack := make(Stack, len(s.parts))
	for _, p := range moved.parts() {
		stack[p] = len(s.parts[p].Values) - 1
	}
	return stack
}

func (s *search) blame() (Result, error) {
	all, none := s.now(s.all()), s.now(0)
	if r, err := s.reproduce(all, none); err != nil || r != nil {
		return deref(r), err
	}
	if len(s.parts) == 1 {
		return s.named(Single, of(0))
	}
	single, err := s.reverted(sets(len(s.parts), 1))
	if err != nil {
		return Result{}, err
	}
	needed, impossible := set(0), set(0)
	for part, a := range single {
		switch a {
		case Green:
			needed |= part
		case Impossible:
			impossible |= part
		}
	}
	if needed == 0 {
		return s.pairs(impossible)
	}
	return s.enough(needed)
}

func deref(r *Result) Result {
	if r == nil {
		return Result{}
	}
	return *r
}

// reproduce asks both sides again, and says what they are if not as they were seen.
func (s *search) reproduce(all, none Stack) (*Result, error) {
	if err := s.ask(slices.Repeat([]Stack{all, none}, s.times)); err != nil {
		return nil, err
	}
	for _, side := range []struct {
		stack Stack
		want  Answer
		name  string
	}{{all, Red, "the failing side"}, {none, Green, "the passing side"}} {
		answers := s.of(side.stack)
		same := count(answers, side.want)
		switch {
		case same == len(answers):
			continue
		case same > 0:
			return &Result{Outcome: Flaky, Why: side.name + " " + Tell(answers)}, nil
		case count(answers, None)+count(answers, Impossible) > 0:
			return &Result{Outcome: Untold, Why: side.name + " " + Tell(answers)}, nil
		}
		return &Result{Outcome: Gone, Why: side.name + " " + Tell(answers)}, nil
	}
	return nil, nil
}

// enough finds out whether the parts that are needed are enough.
func (s *search) enough(needed set) (Result, error) {
	if err := s.once(s.now(needed)); err != nil {
		return Result{}, err
	}
	switch a := s.last(s.now(needed)); {
	case a == Red && len(needed.parts()) == 1:
		return s.named(Single, needed)
	case a == Red:
		return s.named(Interaction, needed)
	case a != Green && a != Impossible:
		return s.named(Untold, needed)
	}
	// It takes one more, which others can stand in for.
	var more []Stack
	for _, p := range (s.all() &^ needed).parts() {
		more = append(more, s.now(needed|of(p)))
	}
	if err := s.once(more...); err != nil {
		return Result{}, err
	}
	for i, p := range (s.all() &^ needed).parts() {
		if s.last(more[i]) == Red {
			return s.named(Interaction, needed|of(p))
		}
	}
	return s.named(Untold, needed)
}

// pairs reverts two parts at a time, where no single one explains it.
func (s *search) pairs(impossible set) (Result, error) {
	if len(s.parts) == 2 {
		outcome := Either
		if impossible != 0 {
			outcome = Together
		}
		return s.either(outcome, s.all())
	}
	answers, err := s.reverted(sets(len(s.parts), 2))
	if err != nil {
		return Result{}, err
	}
	for _, pair := range sets(len(s.parts), 2) {
		if answers[pair] != Green {
			continue
		}
		if pair&impossible != 0 {
			return s.either(Together, pair)
		}
		return s.either(Either, pair)
	}
	return s.named(Untold, 0)
}

// either blames parts that are both reverted before it passes: each breaks it alone, which
// is asked, or they cannot be moved apart.
func (s *search) either(outcome Outcome, pair set) (Result, error) {
	if outcome == Either {
		var alone []Stack
		for _, p := range pair.parts() {
			alone = append(alone, s.now(of(p)))
		}
		if err := s.once(alone...); err != nil {
			return Result{}, err
		}
		for _, stack := range alone {
			if s.last(stack) != Red {
				return s.named(Untold, pair)
			}
		}
	}
	return s.named(outcome, pair)
}

// reverted asks the stacks in which each of these sets of parts is as it was.
func (s *search) reverted(those []set) (map[set]Answer, error) {
	var stacks []Stack
	for _, r := range those {
		stacks = append(stacks, s.now(s.all()&^r))
	}
	if err := s.once(stacks...); err != nil {
		return nil, err
	}
	answers := map[set]Answer{}
	for i, r := range those {
		answers[r] = s.last(stacks[i])
	}
	return answers, nil
}

// named blames, after each answer has been given as often as is wanted, and finds out
// between which versions it turned.
func (s *search) named(outcome Outcome, blamed set) (Result, error) {
	r := Result{Outcome: outcome}
	for _, p := range blamed.parts() {
		r.Blamed = append(r.Blamed, Blamed{p, 0, len(s.parts[p].Values) - 1})
	}
	if outcome == Untold {
		r.Why = "no revert of one or two parts explains it"
		if blamed != 0 {
			r.Why = "they are needed, and not enough as far as answers tell"
		}
		return r, nil
	}
	if outcome == Single || outcome == Interaction {
		for i := range r.Blamed {
			if err := s.bisect(&r.Blamed[i]); err != nil {
				return r, err
			}
		}
	}
	if err := s.again(); err != nil {
		return r, err
	}
	for _, a := range s.asked {
		if first := a.Answers[0]; count(a.Answers, first)+count(a.Answers, None) < len(a.Answers) {
			return Result{Outcome: Flaky, Why: s.words(a.Stack) + " " + Tell(a.Answers)}, nil
		}
	}
	return r, nil
}

// again asks what was answered once as often as is wanted.
func (s *search) again() error {
	var stacks []Stack
	for _, a := range s.asked {
		if a.Answers[0] == Green || a.Answers[0] == Red {
			for range s.times - len(a.Answers) {
				stacks = append(stacks, a.Stack)
			}
		}
	}
	return s.ask(stacks)
}

// bisect finds the neighbours between which a part turned, where all others are as they are
// now. A version without a clear answer is passed over.
func (s *search) bisect(b *Blamed) error {
	skipped := map[int]bool{}
	for {
		mid, far := -1, math.MaxInt
		for v := b.Was + 1; v < b.Now; v++ {
			if d := abs(2*v - b.Was - b.Now); !skipped[v] && d < far {
				mid, far = v, d
			}
		}
		if mid < 0 {
			return nil
		}
		stack := s.now(s.all())
		stack[b.Part] = mid
		if err := s.once(stack); err != nil {
			return err
		}
		switch s.last(stack) {
		case Red:
			b.Now = mid
		case Green:
			b.Was = mid
		default:
			skipped[mid] = true
		}
	}
}

func abs(n int) int { return max(n, -n) }

// once asks those stacks that have no answer yet.
func (s *search) once(stacks ...Stack) error {
	return s.ask(slices.DeleteFunc(slices.Clone(stacks), func(stack Stack) bool { return s.of(stack) != nil }))
}

// ask asks stacks, and remembers what they said.
func (s *search) ask(stacks []Stack) error {
	if len(stacks) == 0 {
		return nil
	}
	answers, err := s.asker.Ask(s.ctx, stacks)
	if err != nil {
		return err
	}
	for i, stack := range stacks {
		at := slices.IndexFunc(s.asked, func(a Asked) bool { return slices.Equal(a.Stack, stack) })
		if at < 0 {
			at, s.asked = len(s.asked), append(s.asked, Asked{Stack: stack})
		}
		s.asked[at].Answers = append(s.asked[at].Answers, answers[i])
	}
	return nil
}

// of are the answers of a stack, and last is the last of them.
func (s *search) of(stack Stack) []Answer {
	for _, a := range s.asked {
		if slices.Equal(a.Stack, stack) {
			return a.Answers
		}
	}
	return nil
}

func (s *search) last(stack Stack) Answer {
	answers := s.of(stack)
	return answers[len(answers)-1]
}

func (s *search) words(stack Stack) string { return Words(s.parts, stack) }

// sets are the sets of so many of n parts.
func sets(n, size int) (all []set) {
	for s := range set(1) << n {
		if len(s.parts()) == size {
			all = append(all, s)
		}
	}
	return all
}
