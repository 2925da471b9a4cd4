// Package check is the registry of checks. A check is one file of its family's
// folder: ID, sentence, requirements, dependencies, control and body together.
//
//	var _ = check.Register("O-RESET", check.Spec{
//		Asserts: "A reset boots the guest anew, and the domain stays the same",
//		...
//	}, func(t *steps.T) { ... })
package check

import (
	"fmt"
	"path"
	"runtime"
	"slices"
	"strings"

	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// Spec is what there is to know of a check besides its ID and its body.
type Spec struct {
	// Asserts is the behaviour in one sentence.
	Asserts string
	// Requires is what a cell must be for the check to be asked there.
	Requires []matrix.Requirement
	// Depends are the axes whose packages or values can change the answer: a question
	// is asked once for each combination of them. Nil means all axes.
	Depends []string
	// Compares is the component of which the version is compared with the one before.
	Compares matrix.Component
	// Hosts describes the hosts that the check works on, if one as usual will not do.
	Hosts matrix.Hosts
	// Boots says that the check answers for the boot of the hosts themselves.
	Boots bool
	// Control makes the check fail. Without says why there is none.
	Control *sabotage.Control
	Without string
}

// Check is a registered check.
type Check struct {
	matrix.Check
	Body    func(*steps.T)
	Control *sabotage.Control
}

var all = map[string]*Check{}

// suites is the folder that all families are below.
const suites = "/suites/"

// On lists axes that an answer depends on.
func On[A ~string](axes ...A) []string {
	out := make([]string, len(axes))
	for i, a := range axes {
		out[i] = string(a)
	}
	return out
}

// Register adds a check of the family in whose folder it is called. It panics when
// the ID is taken: no program that has such checks may start.
func Register(id string, s Spec, body func(*steps.T)) *Check {
	_, file, line, _ := runtime.Caller(1)
	at := strings.LastIndex(file, suites)
	if at < 0 {
		panic(fmt.Sprintf("cannot register check %s: %s:%d is not in a folder of suites", id, file, line))
	}
	if all[id] != nil {
		panic(fmt.Sprintf("cannot register check %s: it is registered twice, the second time in %s:%d", id, file, line))
	}
	c := &Check{Body: body, Control: s.Control, Check: matrix.Check{
		ID: id, Asserts: s.Asserts, Family: path.Dir(file[at+len(suites):]), Requires: s.Requires, Depends: s.Depends,
		Compares: s.Compares, Hosts: s.Hosts, Boot: s.Boots, Draft: slices.Contains(Drafts(), id), Without: s.Without,
	}}
	if s.Control != nil {
		c.Check.Control = s.Control.Name
	}
	all[id] = c
	return c
}

// Find returns the check with the ID, or nil.
func Find(id string) *Check { return all[id] }

// All lists the checks by family and ID; the families are in the order of a run, those
// that tell most first.
func All() []*Check {
	var list []*Check
	for _, c := range all {
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b *Check) int { return strings.Compare(a.Family+a.ID, b.Family+b.ID) })
	return list
}

// FailsIn is the layer that the check must blame under its control.
func (c *Check) FailsIn() matrix.Layer {
	if c.Control.Layer != "" {
		return c.Control.Layer
	}
	return c.Layer()
}
