// Package delivery asks how a candidate's packages come to a host: whether they can be
// installed, beside what is there, in the place of the release's and back. Nothing boots
// for it.
package delivery

import (
	"fmt"
	"strings"

	"github.com/virtmatrix/virtmatrix/internal/source"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// register adds a check of a delivery, which releases are asked that publish what it needs.
func register(id, asserts string, control *sabotage.Control, body func(*steps.T), publishes ...matrix.Requirement) {
	check.Register(id, check.Spec{
		Asserts:  asserts,
		Requires: append([]matrix.Requirement{matrix.Delivered}, publishes...),
		Hosts:    matrix.Hosts{None: true},
		Control:  control,
	}, body)
}

// shown is how many findings an answer shows; all are in its evidence.
const shown = 20

// finds fails a check that found something.
func finds[F fmt.Stringer](t *steps.T, what string, found []F) {
	var lines []string
	for _, f := range found {
		lines = append(lines, f.String())
	}
	if len(lines) == 0 {
		return
	}
	t.KeepText("findings.txt", strings.Join(lines, "\n")+"\n")
	if n := len(lines); n > shown {
		lines = append(lines[:shown], fmt.Sprintf("and %d more", n-shown))
	}
	t.Fail(t.Layer, "%s:\n%s", what, strings.Join(lines, "\n"))
}

// text is a finding in words.
type text string

// String returns them.
func (s text) String() string { return string(s) }

// names are those of the packages of a set.
func names(set matrix.PackageSet) (all []string) {
	for _, p := range set.Packages {
		all = append(all, p.Name)
	}
	return all
}

// only are the packages of a set that another one has as well, by name, or has not.
func only(set, other matrix.PackageSet, has bool) matrix.PackageSet {
	out := set
	out.Packages = nil
	for _, p := range set.Packages {
		if (other.Version(p.Name) != "") == has {
			out.Packages = append(out.Packages, p)
		}
	}
	return out
}

// planted is the package of controls.
const planted = "virtmatrix-planted"

// plant is a control that adds a package to the candidate.
func plant(name string, p source.Planted) *sabotage.Control {
	p.Name, p.Version = planted, "1"
	return sabotage.Package(name, p)
}
