package blame

import (
	"context"
	"math/rand/v2"
	"strings"
	"testing"
)

// planted answers by a function, and counts what it was asked.
type planted struct {
	says  func(Stack) Answer
	asked int
}

func (p *planted) Ask(_ context.Context, stacks []Stack) (answers []Answer, _ error) {
	for _, s := range stacks {
		p.asked++
		answers = append(answers, p.says(s))
	}
	return answers, nil
}

// components are four parts, of which the second has versions between.
func components() []Part {
	return []Part{
		{"linux", []string{"6.1", "6.12"}}, {"qemu", []string{"5.2", "7.2", "8.0", "9.0", "10.0", "11.1"}},
		{"libvirt", []string{"9.0", "11.3"}}, {"firmware", []string{"bios", "uefi"}},
	}
}

// red says when a stack is red, and otherwise it is green.
func red(when func(Stack) bool) func(Stack) Answer {
	return func(s Stack) Answer {
		if when(s) {
			return Red
		}
		return Green
	}
}

func TestAPlantedCauseIsBlamed(t *testing.T) {
	for name, c := range map[string]struct {
		says    func(Stack) Answer
		outcome Outcome
		blamed  string
		most    int
	}{
		"one part":                  {red(func(s Stack) bool { return s[2] == 1 }), Single, "libvirt 9.0 -> 11.3", 21},
		"one part, bisected":        {red(func(s Stack) bool { return s[1] >= 3 }), Single, "qemu 8.0 -> 9.0", 27},
		"the first step of a part":  {red(func(s Stack) bool { return s[1] >= 1 }), Single, "qemu 5.2 -> 7.2", 27},
		"an interaction":            {red(func(s Stack) bool { return s[1] >= 5 && s[2] == 1 }), Interaction, "qemu 10.0 -> 11.1, libvirt 9.0 -> 11.3", 30},
		"three parts together":      {red(func(s Stack) bool { return s[0] == 1 && s[2] == 1 && s[3] == 1 }), Interaction, "linux 6.1 -> 6.12, libvirt 9.0 -> 11.3, firmware bios -> uefi", 24},
		"one of two":                {red(func(s Stack) bool { return s[0] == 1 || s[2] == 1 }), Either, "linux 6.1 -> 6.12, libvirt 9.0 -> 11.3", 45},
		"a part and one of two":     {red(func(s Stack) bool { return s[0] == 1 && (s[2] == 1 || s[3] == 1) }), Interaction, "linux 6.1 -> 6.12, libvirt 9.0 -> 11.3", 30},
		"a failure that is gone":    {red(func(Stack) bool { return false }), Gone, "", 6},
		"a baseline that fails too": {red(func(Stack) bool { return true }), Gone, "", 6},
		"no answer":                 {func(Stack) Answer { return None }, Untold, "", 6},
		"another failure meanwhile": {func(s Stack) Answer {
			switch {
			case s[2] == 0 && s[0] == 1:
				return Other
			case s[0] == 1:
				return Red
			}
			return Green
		}, Untold, "linux 6.1 -> 6.12", 12},
		"parts that cannot be apart": {func(s Stack) Answer {
			switch {
			case (s[0] == 1) != (s[2] == 1):
				return Impossible
			case s[0] == 1:
				return Red
			}
			return Green
		}, Together, "linux 6.1 -> 6.12, libvirt 9.0 -> 11.3", 45},
		"versions without an answer": {func(s Stack) Answer {
			switch v := s[1]; {
			case v == 2 || v == 3:
				return None
			case v >= 3:
				return Red
			}
			return Green
		}, Single, "qemu 7.2 -> 10.0", 30},
	} {
		t.Run(name, func(t *testing.T) {
			p := &planted{says: c.says}
			r, err := Search(t.Context(), components(), 3, p)
			if err != nil {
				t.Fatal(err)
			}
			if got := named(r); r.Outcome != c.outcome || got != c.blamed {
				t.Errorf("%s: %q (%s), want %s: %q", r.Outcome, got, r.Why, c.outcome, c.blamed)
			}
			if p.asked > c.most {
				t.Errorf("%d answers, want at most %d", p.asked, c.most)
			}
		})
	}
}

func named(r Result) string {
	var words []string
	for _, b := range r.Blamed {
		p := components()[b.Part]
		words = append(words, p.Name+" "+p.Values[b.Was]+" -> "+p.Values[b.Now])
	}
	return strings.Join(words, ", ")
}

// A check that fails by chance is no one's fault, however often it does.
func TestAFlakeBlamesNobody(t *testing.T) {
	const trials = 2000
	for _, rate := range []float64{.1, .3, .5, .7, .9} {
		blamed := 0
		for trial := range trials {
			rnd := rand.New(rand.NewPCG(uint64(trial), uint64(100*rate)))
			p := &planted{says: red(func(Stack) bool { return rnd.Float64() < rate })}
			r, err := Search(t.Context(), components(), 3, p)
			if err != nil {
				t.Fatal(err)
			}
			switch r.Outcome {
			case Single, Interaction, Either, Together:
				blamed++
			}
		}
		t.Logf("a check that fails in %.0f %% wherever it is asked: somebody is blamed in %.2f %% of searches", 100*rate, 100*float64(blamed)/trials)
		if blamed > trials/100 {
			t.Errorf("a flake of %.0f %% is blamed on somebody in %d of %d searches", 100*rate, blamed, trials)
		}
	}
}

// A regression that shows now and then is told to be a flake, or blamed on the right part.
func TestARegressionThatShowsNowAndThenIsNeverBlamedOnAnother(t *testing.T) {
	const trials = 2000
	for _, rate := range []float64{.5, .8, .95} {
		right, wrong := 0, 0
		for trial := range trials {
			rnd := rand.New(rand.NewPCG(uint64(trial), uint64(100*rate)))
			p := &planted{says: red(func(s Stack) bool { return s[2] == 1 && rnd.Float64() < rate })}
			r, err := Search(t.Context(), components(), 3, p)
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case r.Outcome == Single && named(r) == "libvirt 9.0 -> 11.3":
				right++
			case r.Outcome == Single || r.Outcome == Interaction || r.Outcome == Either || r.Outcome == Together:
				wrong++
			}
		}
		t.Logf("a part that fails in %.0f %%: blamed in %.1f %%, another in %.2f %%", 100*rate, 100*float64(right)/trials, 100*float64(wrong)/trials)
		if wrong > trials/100 {
			t.Errorf("another part is blamed in %d of %d searches", wrong, trials)
		}
	}
}

func TestWhatCannotBeAskedEndsTheSearch(t *testing.T) {
	for name, parts := range map[string][]Part{"nothing differs": nil, "too many": make([]Part, maxParts+1)} {
		if _, err := Search(t.Context(), parts, 3, &planted{}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Search(ctx, components(), 3, stopped{}); err == nil {
		t.Error("the search went on")
	}
}

type stopped struct{}

func (stopped) Ask(ctx context.Context, _ []Stack) ([]Answer, error) { return nil, ctx.Err() }
