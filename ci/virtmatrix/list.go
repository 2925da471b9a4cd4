package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/virtmatrix/virtmatrix/internal/rundir"
	"github.com/virtmatrix/virtmatrix/matrix"
)

type listVerb struct {
	What string `arg:"" placeholder:"WHAT" help:"cells, checks, profiles, axes, versions, releases, constraints, runs or flakes."`
}

// Help is what virtmatrix list --help says beyond the flags.
func (*listVerb) Help() string {
	return `Cells and constraints are those of the catalogue alone. A plan also heeds what the packages
state (Depends, Breaks, Conflicts), and may have other cells for it.

Examples:
  virtmatrix list cells
  virtmatrix list checks | grep inbound
  virtmatrix list axes
  virtmatrix list constraints
  virtmatrix list runs
  virtmatrix list flakes      # what passes and fails with the same packages, of the newest runs`
}

// table writes rows of a list, the cells of a row parted by tabs.
type table func(columns ...any)

// lists are what can be listed, but for runs.
var lists = map[string]func(*matrix.Catalog, table) error{
	"cells": listCells, "checks": listChecks, "profiles": listProfiles, "axes": listAxes, "versions": listVersions,
	"releases": listReleases, "constraints": listConstraints,
}

// Run lists the names.
func (v *listVerb) Run(a *app) error {
	valid := []string{"cells", "checks", "profiles", "axes", "versions", "releases", "constraints", "runs", "flakes"}
	if !slices.Contains(valid, v.What) {
		return fmt.Errorf("cannot list: %w", matrix.Unknown("list", v.What, valid))
	}
	if v.What == "runs" {
		return aligned(a.stdout, a.listRuns)
	}
	if v.What == "flakes" {
		return aligned(a.stdout, a.listFlakes)
	}
	cat, err := a.catalog()
	if err != nil {
		return err
	}
	return aligned(a.stdout, func(row table) error { return lists[v.What](cat, row) })
}

func aligned(w io.Writer, fill func(table) error) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	err := fill(func(columns ...any) {
		var words []string
		for _, c := range columns {
			words = append(words, fmt.Sprint(c))
		}
		fmt.Fprintln(t, strings.Join(words, "\t"))
	})
	if err != nil {
		return err
	}
	return t.Flush()
}

func listCells(cat *matrix.Catalog, row table) error {
	var ids []string
	composition, profiles := map[string]matrix.Composition{}, map[string][]string{}
	for _, p := range cat.Profiles {
		plan, err := matrix.New(cat, matrix.Request{Profile: p.Name})
		if err != nil {
			return err
		}
		for _, c := range plan.Cells {
			if len(profiles[c.ID]) == 0 {
				ids = append(ids, c.ID)
			}
			composition[c.ID], profiles[c.ID] = c.Composition, append(profiles[c.ID], p.Name)
		}
	}
	for _, id := range ids {
		row(id, composition[id], strings.Join(profiles[id], ","))
	}
	return nil
}

func listChecks(cat *matrix.Catalog, row table) error {
	for _, c := range cat.Checks {
		row(c.ID, c.Family, joined(c.Tiers()), joined(c.Kinds()), c.Asserts)
	}
	return nil
}

func listProfiles(cat *matrix.Catalog, row table) error {
	for _, p := range cat.Profiles {
		plan, err := matrix.New(cat, matrix.Request{Profile: p.Name})
		if err != nil {
			return err
		}
		row(p.Name, number(len(plan.Cells), "cell"), p.Description)
	}
	return nil
}

func listReleases(cat *matrix.Catalog, row table) error {
	for _, r := range cat.Releases {
		var names []string
		for _, repository := range r.Repositories {
			names = append(names, repository.Name)
		}
		row(r.Name, r.Source, strings.Join(names, ","))
	}
	return nil
}

// listAxes lists everything that cells vary: where a version comes from, and
// what a setting sets.
func listAxes(cat *matrix.Catalog, row table) error {
	for _, axis := range cat.Axes {
		for _, v := range axis.Values {
			if axis.Component != "" {
				row(axis.Name, v.Name, strings.Join(v.Releases, ","))
			} else {
				row(axis.Name, v.Name, fmt.Sprintf("%s; default %s", axis.Title, axis.Default))
			}
		}
	}
	return nil
}

func listVersions(cat *matrix.Catalog, row table) error {
	for _, axis := range cat.Axes {
		if axis.Component == "" {
			continue
		}
		for _, v := range axis.Values {
			row(axis.Component, v.Name, strings.Join(v.Releases, ","))
		}
	}
	return nil
}

func listConstraints(cat *matrix.Catalog, row table) error {
	for _, k := range cat.Constraints {
		row(k, k.Why, k.Source)
	}
	return nil
}

func (a *app) listRuns(row table) error {
	names, err := rundir.List(a.Runs)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		return fmt.Errorf("there is no run in %s yet; make one with: virtmatrix run", a.Runs)
	}
	j, err := ruling{}.read(a)
	if err != nil {
		return err
	}
	for _, name := range names {
		row(name, a.standing(name, j))
	}
	return nil
}

// standing says in a few words how a run stands.
func (a *app) standing(name string, j judge) string {
	d, err := a.openRun(name)
	if err != nil {
		return err.Error()
	}
	m, err := j.run(d)
	if err != nil {
		return err.Error()
	}
	answered := 0
	for _, r := range m.Results {
		if r.Verdict != matrix.Missing {
			answered++
		}
	}
	return fmt.Sprintf("%s\t%d/%d answered\t%s", number(len(m.Cells), "cell"), answered, len(m.Results), m.Decision.Code)
}
