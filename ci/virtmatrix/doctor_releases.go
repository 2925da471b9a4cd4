package main

import (
	"fmt"
	"strings"

	"github.com/virtmatrix/virtmatrix/internal/machine"
	"github.com/virtmatrix/virtmatrix/internal/run"
	"github.com/virtmatrix/virtmatrix/internal/source/tool"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// releases says of each release whether its repositories answer, are signed as the
// catalogue says, and hold what recipes ask of them.
func (a *app) releases(cat *matrix.Catalog) error {
	if err := tool.Require(run.Tools(cat)); err != nil {
		return err
	}
	d, err := a.driver(nil)
	if err != nil {
		return err
	}
	bad := 0
	err = d.Releases(a.ctx, cat, func(s run.Served) {
		f := machine.Finding{Grade: machine.Good, Subject: s.Release, Text: s.Role + ": " + describeSet(&s.Set)}
		if s.Err != nil {
			f.Grade, f.Text = machine.Missing, s.Role+": "+printable(s.Err.Error())
			bad++
		}
		diagnose(a.stdout, []machine.Finding{f})
	})
	if err != nil {
		return err
	}
	if bad > 0 {
		fmt.Fprintf(a.stdout, "\n%s of these releases cannot be made\n", number(bad, "image"))
		return exit(exitTrouble)
	}
	return nil
}

// describeSet says how many packages there are and what vouches for them.
func describeSet(set *matrix.PackageSet) string {
	text := number(len(set.Packages), "package")
	var from []string
	for _, o := range set.Repositories {
		from = append(from, o.String())
	}
	if len(from) > 0 {
		text += " from " + strings.Join(from, ", ")
	}
	return text
}
