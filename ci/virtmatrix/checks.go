package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/virtmatrix/virtmatrix/matrix"
)

type checksVerb struct {
	IDs     []string `arg:"" optional:"" name:"check" help:"Only these checks, by their IDs or parts of them."`
	Summary bool     `help:"Only count: the checks of each family by the cheapest host that they can be asked on, and of those that are to be which are there."`
}

// Help is what virtmatrix checks --help says beyond the flags.
func (*checksVerb) Help() string {
	return `Tells of each check what it asserts, where its body is, what a cell must be for it to be asked, what its answer depends on, what proves that it can fail, and what it costs. A check is asked once for all cells in which everything that its answer depends on is the same.

Examples:
  virtmatrix checks
  virtmatrix checks O-SAVE
  virtmatrix checks 'IQ-*'
  virtmatrix checks -summary`
}

// Run tells of the checks.
func (v *checksVerb) Run(a *app) error {
	cat, err := matrix.Default()
	if err != nil {
		return err
	}
	ids, err := matrix.Select(v.IDs, cat.CheckIDs())
	if err != nil {
		return fmt.Errorf("cannot select checks: %w", err)
	}
	checks := slices.DeleteFunc(cat.Checks, func(c matrix.Check) bool { return !slices.Contains(ids, c.ID) })
	if v.Summary {
		return aligned(a.stdout, func(row table) error { return summariseChecks(cat, checks, row) })
	}
	return showChecks(a.stdout, checks)
}

func showChecks(w io.Writer, checks []matrix.Check) error {
	for i, c := range checks {
		if i > 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "%s: %s\n", c.ID, c.Asserts+c.DraftText())
		err := aligned(w, func(row table) error {
			fact := func(name, text string) {
				if text != "" {
					row("    "+name, text)
				}
			}
			fact("family", "suites/"+c.Family)
			fact("kinds", joined(c.Kinds()))
			fact("tiers", joined(c.Tiers()))
			fact("requires", joined(c.Requires))
			fact("depends on", c.DependsText())
			fact("control", c.ControlText())
			fact("seconds", c.SecondsText())
			for _, r := range c.Relied {
				fact("relied on by", r.Consumer+": "+r.On)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// joined writes words with commas.
func joined[T ~string](words []T) string {
	texts := make([]string, len(words))
	for i, w := range words {
		texts[i] = string(w)
	}
	return strings.Join(texts, ", ")
}
