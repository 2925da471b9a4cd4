package source

import (
	"cmp"
	"context"
	"slices"

	"github.com/virtmatrix/virtmatrix/matrix"
)

// Supply is what takes the root of a running host from one set of packages towards
// another.
type Supply struct {
	From, To matrix.PackageSet
	// Parts are what can move by itself, by name.
	Parts map[string]Part
}

// Part is packages that move together, with what they need.
type Part struct {
	// Had are those of From that are to be those of To's release where that has them,
	// Wanted those of To that are to be there.
	Had, Wanted []string
}

// The programs of a supply. Those that change the root say how it went by their status.
const (
	// SupplyManager brings the root's package manager where the root has none.
	SupplyManager = "manager"
	// SupplyMove moves the parts whose names it is given. Where the environment has
	// SupplyPlace, the packages are in a copy of the folder there.
	SupplyMove = "move"
	// SupplyList lists what is installed, whole or not, a name and its version a line.
	SupplyList = "list"
	// SupplyUndo takes back what moved.
	SupplyUndo = "undo"
	// SupplyAudit tells of what is not whole, and says nothing where all is.
	SupplyAudit = "audit"
	// SupplyRepair does what the package manager's own manual has for a root that is not
	// whole, and moves nothing else.
	SupplyRepair = "repair"
	// SupplyTrap has a script of the packages fail from now on, and with the argument
	// "off" no more.
	SupplyTrap = "trap"
)

// SupplyPlace is the variable of the environment that says where the packages are.
const SupplyPlace = "SUPPLY"

// SupplyAddOns is the part that comes above what the root has.
const SupplyAddOns = "add-ons"

// Supplier is a source whose packages the package manager of a running host can move to,
// without a network.
type Supplier interface {
	// Supply makes dir, which is empty, hold the fetched packages and the programs.
	Supply(ctx context.Context, s Supply, dir string) error
}

// Offered is what a host is offered by a supply.
type Offered struct {
	// Now are the packages that the root lacks, Was those of its own that these may
	// replace or drive out.
	Now, Was matrix.PackageSet
	// Wanted are what each part asks for.
	Wanted map[string][]matrix.Package
}

// Offer finds the packages. What the root may become is To with what its release has of
// the packages that the root had.
func (s Supply) Offer(ctx context.Context, index Index) (o Offered, err error) {
	var had, names []string
	for _, part := range s.Parts {
		had, names = append(had, part.Had...), append(names, part.Wanted...)
	}
	records, err := index.Records(ctx, s.To.Release, had)
	if err != nil {
		return o, err
	}
	for _, r := range records {
		if slices.Contains(had, r.Package) {
			names = append(names, r.Package)
		}
	}
	more, err := Beyond(ctx, index, s.To, names)
	if err != nil {
		return o, err
	}
	goal := s.To
	goal.Packages = slices.Concat(goal.Packages, more.Packages)
	o.Wanted = map[string][]matrix.Package{}
	for name, part := range s.Parts {
		for _, p := range goal.Packages {
			if slices.Contains(names, p.Name) && (slices.Contains(part.Had, p.Name) || slices.Contains(part.Wanted, p.Name)) {
				o.Wanted[name] = append(o.Wanted[name], p)
			}
		}
		slices.SortFunc(o.Wanted[name], func(a, b matrix.Package) int { return cmp.Compare(a.Name, b.Name) })
	}
	o.Now, o.Was = matrix.PackageSet{Source: s.To.Source, Release: s.To.Release}, matrix.PackageSet{Source: s.From.Source, Release: s.From.Release}
	for _, d := range matrix.Differences(s.From, goal) {
		if d.Way != matrix.Removed {
			o.Now.Packages = append(o.Now.Packages, d.Now)
		}
		if d.Way != matrix.Added {
			o.Was.Packages = append(o.Was.Packages, d.Was)
		}
	}
	return o, nil
}

// Beyond is what an installation of packages of the set's release takes that is not in
// the set.
func Beyond(ctx context.Context, index Index, set matrix.PackageSet, names []string) (matrix.PackageSet, error) {
	more := matrix.PackageSet{Source: set.Source, Release: set.Release}
	for _, p := range set.Packages {
		names = append(names, p.Name)
	}
	whole, err := index.Resolve(ctx, Request{Release: set.Release, Names: names})
	for _, p := range whole.Packages {
		if set.Version(p.Name) == "" {
			more.Packages = append(more.Packages, p)
		}
	}
	return more, err
}
