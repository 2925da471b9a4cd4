package run

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"github.com/virtmatrix/virtmatrix/fixtures"
	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/owner"
	"github.com/virtmatrix/virtmatrix/internal/source"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// supplied returns the packages that the wanted host of a cell moves to, or gets above its
// stack: a folder, and for a machine an image of it; empty where there are none. It is made
// once for each pair of roots, and ends with the hosts.
func (h *Hosts) supplied(ctx context.Context, cell *matrix.Cell, want matrix.Hosts) (place string, err error) {
	const op = "supply packages"
	s, err := h.supply(cell, want)
	if err != nil || s.Parts == nil {
		return "", err
	}
	h.supplies.Lock()
	defer h.supplies.Unlock()
	pair := [2]string{s.From.Key(), s.To.Key()}
	form := map[matrix.Tier]string{matrix.Container: "tree", matrix.Nested: "image"}[cell.Tier]
	if f := h.supplies.folders[pair]; f != nil {
		return filepath.Join(f.Path, form), nil
	}
	src, err := h.images.sources.For(s.To.Release)
	if err != nil {
		return "", err
	}
	by, ok := src.(source.Supplier)
	if !ok {
		return "", fault.Infraf(op, "nobody knows how a host gets packages of %s", s.To.Release)
	}
	f, err := owner.NewFolder(Scratch(h.driver.config.Home), "supply-")
	if err != nil {
		return "", fault.Infraf(op, "%w", err)
	}
	tree := filepath.Join(f.Path, "tree")
	if err = os.Mkdir(tree, 0o755); err == nil {
		err = by.Supply(ctx, s, tree)
	}
	if err == nil && cell.Tier == matrix.Nested {
		err = fixtures.Pack(ctx, tree, filepath.Join(f.Path, form))
	}
	if err != nil {
		_ = f.Remove()
		return "", fault.OrInfra(op, err)
	}
	h.supplies.folders[pair] = f
	return filepath.Join(f.Path, form), nil
}

// supply says what the root of the wanted host is to become; without parts it stays as it is.
func (h *Hosts) supply(cell *matrix.Cell, want matrix.Hosts) (s source.Supply, err error) {
	switch {
	case want.Moves != "":
		from, to := h.plan.Cell(want.Stack(0, cell.ID)), h.plan.Cell(want.Goal(cell.ID))
		if from == nil || to == nil {
			return s, fault.Infraf("supply packages", "the plan lacks a cell that %s moves between; plan again", cell.ID)
		}
		return h.moves(from, to), nil
	case len(want.AddOns) > 0 && want.Root.Role == "":
		s.From = h.rootSet(cell)
		s.To = s.From
		s.To.Packages = slices.Concat(s.From.Packages, h.plan.PackageSets[want.Added].Packages)
		s.Parts = map[string]source.Part{source.SupplyAddOns: {Wanted: want.AddOns}}
	}
	return s, nil
}

// moves is what takes the root of a cell to the libvirt and the emulator, or the toolstack,
// of another one's.
func (h *Hosts) moves(from, to *matrix.Cell) source.Supply {
	s := source.Supply{From: h.rootSet(from), To: h.rootSet(to), Parts: map[string]source.Part{}}
	up := upward(from, to)
	for _, c := range from.Stack {
		if c.Component == matrix.Linux {
			continue
		}
		part := source.Part{Had: moving(from, c.Component, s.From)}
		if up {
			part.Wanted = moving(to, c.Component, s.To)
		}
		s.Parts[string(c.Component)] = part
	}
	return s
}

// upward says that the goal has what users get who upgrade, and not only what is left to
// who goes back.
func upward(from, to *matrix.Cell) bool {
	was, _ := from.Choice(matrix.Libvirt)
	now, _ := to.Choice(matrix.Libvirt)
	return matrix.Compare(was.Upstream(), now.Upstream()) <= 0
}

// moving are the packages of a cell's root that are built from the source of a component:
// they have its version.
func moving(cell *matrix.Cell, comp matrix.Component, root matrix.PackageSet) (names []string) {
	lead, _ := cell.Choice(comp)
	for _, p := range root.Packages {
		if rebuild.ReplaceAllString(p.Version, "") == rebuild.ReplaceAllString(lead.Package, "") {
			names = append(names, p.Name)
		}
	}
	return names
}

// rebuild ends the version of packages that were built again of one source: of a
// component's packages some are.
var rebuild = regexp.MustCompile(`\+b\d+$`)

// rootSet are the packages of a cell's root.
func (h *Hosts) rootSet(cell *matrix.Cell) matrix.PackageSet {
	ref, _ := cell.Image(rootRole(cell))
	return h.plan.PackageSets[ref.Packages]
}
