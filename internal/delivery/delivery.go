// Package delivery finds in what packages say and hold what keeps them from being
// installed together, or in the place of those before.
package delivery

import (
	"fmt"
	"slices"

	"github.com/virtmatrix/virtmatrix/internal/source"
	"github.com/virtmatrix/virtmatrix/internal/source/tree"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// Clash is a file that two packages hold which may be installed together.
type Clash struct {
	Path      string
	Mine, Has matrix.Package
}

// String tells of the clash.
func (c Clash) String() string {
	return fmt.Sprintf("%s is in %s %s and in %s %s, and neither says so", c.Path, c.Mine.Name, c.Mine.Version, c.Has.Name, c.Has.Version)
}

// Clashes lists the files of some packages that others have as well, themselves among
// them. Packages that cannot be installed together have none, nor has one that says that
// it replaces files of the other (Debian policy 7.6.1), nor, with RPM, two that hold the
// same in the file.
func Clashes(mine, others []source.Content) (all []Clash, err error) {
	type holder struct{ content, file int }
	holders := map[string][]holder{}
	for i, c := range others {
		for j, f := range c.Files {
			path := tree.InUsr(f)
			holders[path] = append(holders[path], holder{i, j})
		}
	}
	var told []string
	for _, c := range mine {
		for j, f := range c.Files {
			for _, h := range holders[tree.InUsr(f)] {
				o := others[h.content]
				// Of two that clash, one is told of.
				key, turned := c.Name+" "+o.Name+" "+tree.InUsr(f), o.Name+" "+c.Name+" "+tree.InUsr(f)
				if c.Name == o.Name || slices.Contains(told, turned) || shared(c, j, o, h.file) {
					continue
				}
				agreed, err := agree(c, o)
				if err != nil {
					return nil, err
				}
				if !agreed {
					told = append(told, key)
					all = append(all, Clash{Path: f, Mine: c.Package, Has: o.Package})
				}
			}
		}
	}
	return all, nil
}

// shared says whether two packages may have a file each in the same place.
func shared(a source.Content, file int, b source.Content, other int) bool {
	return a.Digests != nil && b.Digests != nil && a.Digests[file] == b.Digests[other]
}

// agree says whether one of two packages speaks of the other as one that it cannot be
// with, or whose files it may replace.
func agree(a, b source.Content) (bool, error) {
	for _, pair := range [][2]source.Content{{a, b}, {b, a}} {
		says := slices.Concat(pair[0].Conflicts, pair[0].Breaks, pair[0].Replaces)
		named, err := matrix.Names(pair[0].Kind, says, pair[1].Package, pair[1].Provides)
		if named || err != nil {
			return named, err
		}
	}
	return false, nil
}

// Undeclared lists of the packages that a move changes, beside those that are delivered,
// the ones of which no delivered package says that it needs them so, or cannot be with
// them as they were.
func Undeclared(moved []matrix.Difference, delivered []source.Content) (all []matrix.Difference, err error) {
	for _, d := range moved {
		if slices.ContainsFunc(delivered, func(c source.Content) bool { return c.Name == d.Name }) {
			continue
		}
		declared := false
		for _, c := range delivered {
			var bans, needs bool
			if d.Was.Name != "" {
				bans, err = matrix.Names(c.Kind, slices.Concat(c.Conflicts, c.Breaks), d.Was, nil)
			}
			if d.Now.Name != "" && err == nil {
				needs, err = matrix.Names(c.Kind, c.Depends, d.Now, nil)
			}
			if err != nil {
				return nil, err
			}
			declared = declared || bans || needs
		}
		if !declared {
			all = append(all, d)
		}
	}
	return all, nil
}

// Backwards lists the packages that are older than those of the same name before.
func Backwards(was, now matrix.PackageSet) (all []matrix.Difference) {
	for _, d := range matrix.Differences(was, now) {
		if d.Way == matrix.Down {
			all = append(all, d)
		}
	}
	return all
}

// Succeeded says whether one of the packages says what becomes of another.
func Succeeded(p matrix.Package, by []source.Content) (bool, error) {
	for _, c := range by {
		if named, err := matrix.Names(c.Kind, slices.Concat(c.Replaces, c.Breaks, c.Conflicts), p, nil); named || err != nil {
			return named, err
		}
	}
	return false, nil
}
