package reports

import (
	"fmt"
	"math"
	"strings"

	"github.com/virtmatrix/virtmatrix/internal/journal"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// The L0 emulator can stall a host by itself, so a check is tried again after a stall.
// A component that stalls hosts now and then looks the same in each answer. It differs
// in the run: its cells stall more often than those that have another version.

// minStalls is how many stalls of one version are worth a comparison. maxChance is how
// likely a run without any difference may hold nevertheless.
const (
	minStalls = 3
	maxChance = 0.05
)

// Trials are attempts on hosts that L0 emulates, and how many of them stalled.
type Trials struct {
	Attempts int `json:"attempts"`
	Stalls   int `json:"stalls"`
}

func (t *Trials) add(more Trials) {
	t.Attempts, t.Stalls = t.Attempts+more.Attempts, t.Stalls+more.Stalls
}

func (t Trials) without(part Trials) Trials {
	return Trials{t.Attempts - part.Attempts, t.Stalls - part.Stalls}
}

// trials are the attempts of an answer that forgave its stalls. FAIL and BLOCKED do not:
// there the second attempt ended as the first one did.
func trials(r *journal.Record) Trials {
	if l1 := r.Accelerators["L1"]; l1 == "" || l1 == "kvm" || r.Verdict == matrix.Fail || r.Verdict == matrix.Blocked {
		return Trials{}
	}
	return Trials{r.Attempts, r.Stalls}
}

// trials counts the attempts of each cell. What another cell was asked counts there, and
// an answer of the cache that several cells were given counts once.
func (m *Matrix) trials() map[string]Trials {
	cells, kept := map[string]Trials{}, map[string]bool{}
	for i := range m.Results {
		r := &m.Results[i]
		if c := r.Cached(); c != nil {
			if kept[c.Key] {
				continue
			}
			kept[c.Key] = true
		}
		sum := cells[r.Cell]
		sum.add(r.Trials)
		cells[r.Cell] = sum
	}
	return cells
}

// sum adds up the attempts of cells.
func sum(cells map[string]Trials) (all Trials) {
	for _, t := range cells {
		all.add(t)
	}
	return all
}

// stalls says which versions stall more often than the others, each as a reason to
// hold, and returns the attempts of the cells that have none of them. What one version
// explains is not held against another: its cells are left out of the next comparison.
func (m *Matrix) stalls() (reasons []string, rest Trials) {
	cells := m.trials()
	for {
		worst := m.worst(cells)
		if worst == nil {
			return reasons, sum(cells)
		}
		others := sum(cells).without(worst.Trials)
		reasons = append(reasons, oneline(fmt.Sprintf("%s: %d of %d attempts stalled; others %d of %d (chance %.1g)",
			strings.Join(worst.versions, " or "), worst.Stalls, worst.Attempts, others.Stalls, others.Attempts, worst.chance), shownText))
		for _, cell := range worst.cells {
			delete(cells, cell)
		}
	}
}

// suspect is a set of cells that have one version, or several that only occur together.
type suspect struct {
	versions, cells []string
	Trials
	// chance is how likely it is that some suspect of the run differs as much from the
	// others though no version matters.
	chance float64
}

// worst is the suspect that chance explains least; nil when it may explain all. Fisher's
// exact test is right for any number of attempts, however small. Its result is
// multiplied by the number of suspects, because the more are compared the more differ.
func (m *Matrix) worst(cells map[string]Trials) (worst *suspect) {
	all, suspects := sum(cells), m.suspects(cells)
	for _, s := range suspects {
		s.chance = fisher(s.Trials, all.without(s.Trials)) * float64(len(suspects))
		if s.Stalls >= minStalls && s.chance < maxChance && (worst == nil || s.chance < worst.chance) {
			worst = s
		}
	}
	return worst
}

// suspects are the versions that some of the cells have and others lack, in the order of
// the plan. What all cells have cannot be compared.
func (m *Matrix) suspects(cells map[string]Trials) (suspects []*suspect) {
	byVersion, bySet := map[string]*suspect{}, map[string]*suspect{}
	var versions []string
	for _, c := range m.Cells {
		if cells[c.ID].Attempts == 0 {
			continue
		}
		for _, choice := range c.Stack {
			v := string(choice.Component) + " " + choice.Version
			if byVersion[v] == nil {
				byVersion[v], versions = &suspect{}, append(versions, v)
			}
			byVersion[v].cells = append(byVersion[v].cells, c.ID)
			byVersion[v].add(cells[c.ID])
		}
	}
	for _, v := range versions {
		s, set := byVersion[v], strings.Join(byVersion[v].cells, "\n")
		if s.Attempts == sum(cells).Attempts {
			continue
		}
		if bySet[set] == nil {
			bySet[set], suspects = s, append(suspects, s)
		}
		bySet[set].versions = append(bySet[set].versions, v)
	}
	return suspects
}

// fisher is the chance that at least as many of the stalls of both are in a as there
// are, if an attempt stalls as likely in both (Fisher's exact test, one-sided).
func fisher(a, b Trials) (p float64) {
	stalls, attempts := a.Stalls+b.Stalls, a.Attempts+b.Attempts
	for k := a.Stalls; k <= min(stalls, a.Attempts); k++ {
		if stalls-k <= b.Attempts {
			p += math.Exp(choose(a.Attempts, k) + choose(b.Attempts, stalls-k) - choose(attempts, stalls))
		}
	}
	return p
}

// choose is the logarithm of a binomial coefficient.
func choose(n, k int) float64 {
	factorial := func(n int) float64 { l, _ := math.Lgamma(float64(n + 1)); return l }
	return factorial(n) - factorial(k) - factorial(n-k)
}
