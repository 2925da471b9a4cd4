package matrix

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
)

//go:embed listed.txt
var listedText string

// Listed is a check that is to be.
type Listed struct {
	ID string
	// By are the checks that answer it, if it is none by itself.
	By []string
	// Remark says how they do, or why nobody can be asked.
	Remark string
}

// ListedChecks are the checks that are to be, in the order in which people list them.
func ListedChecks() ([]Listed, error) { return readListed(listedText) }

func readListed(text string) (all []Listed, err error) {
	for i, line := range strings.Split(text, "\n") {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		var l Listed
		if id, reason, ok := strings.Cut(line, " - "); ok {
			l = Listed{ID: id, Remark: reason}
		} else if id, by, ok := strings.Cut(line, ": "); ok {
			l.ID = id
			by, l.Remark, _ = strings.Cut(by, ": ")
			l.By = strings.Split(by, ", ")
		} else {
			l.ID = line
		}
		if strings.ContainsAny(l.ID, " ,") || slices.ContainsFunc(all, func(o Listed) bool { return o.ID == l.ID }) {
			return nil, fmt.Errorf("cannot read the list of checks: line %d: %q is no ID, or there twice", i+1, l.ID)
		}
		all = append(all, l)
	}
	return all, nil
}

// State of a listed check.
type State string

const (
	There    State = "there"
	Answered State = "answered by others"
	Reasoned State = "cannot be asked"
	Lacking  State = "missing"
)

// State says whether the catalogue has the check.
func (c *Catalog) State(l Listed) State {
	has := func(id string) bool { return slices.ContainsFunc(c.Checks, func(k Check) bool { return k.ID == id }) }
	switch {
	case has(l.ID):
		return There
	case len(l.By) > 0 && !slices.ContainsFunc(l.By, func(id string) bool { return !has(id) }):
		return Answered
	case len(l.By) == 0 && l.Remark != "":
		return Reasoned
	}
	return Lacking
}
