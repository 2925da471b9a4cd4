package run

import (
	"context"
	"regexp"

	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/owner"
	"github.com/virtmatrix/virtmatrix/internal/source"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// supplied returns the folder of the packages that the wanted host of a cell moves to;
// empty where none move. It is made once for each pair of roots, and ends with the hosts.
func (h *Hosts) supplied(ctx context.Context, cell *matrix.Cell, want matrix.Hosts) (dir string, err error) {
	if want.Moves == "" {
		return "", nil
	}
	const op = "supply packages"
	from, to := h.plan.Cell(want.Stack(0, cell.ID)), h.plan.Cell(want.Goal(cell.ID))
	if from == nil || to == nil {
		return "", fault.Infraf(op, "the plan lacks a cell that %s moves between; plan again", cell.ID)
	}
	h.supplies.Lock()
	defer h.supplies.Unlock()
	pair := [2]string{from.ID, to.ID}
	if f := h.supplies.folders[pair]; f != nil {
		return f.Path, nil
	}
	f, err := owner.NewFolder(Scratch(h.driver.config.Home), "supply-")
	if err != nil {
		return "", fault.Infraf(op, "%w", err)
	}
	if err := h.supply(ctx, from, to, f.Path); err != nil {
		_ = f.Remove()
		return "", fault.OrInfra(op, err)
	}
	h.supplies.folders[pair] = f
	return f.Path, nil
}

// supply fills a folder with what takes the root of a cell to the libvirt and the
// emulator of another one's.
func (h *Hosts) supply(ctx context.Context, from, to *matrix.Cell, dir string) error {
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
	src, err := h.images.sources.For(s.To.Release)
	if err != nil {
		return err
	}
	by, ok := src.(source.Supplier)
	if !ok {
		return fault.Infraf("supply packages", "nobody knows how a host moves to packages of %s", s.To.Release)
	}
	return by.Supply(ctx, s, dir)
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
