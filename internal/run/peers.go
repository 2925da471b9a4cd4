package run

import (
	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// cells are those whose stacks the wanted hosts have, by role.
func (h *Hosts) cells(cell *matrix.Cell, want matrix.Hosts) ([]*matrix.Cell, error) {
	cells := make([]*matrix.Cell, max(want.Count, 1))
	for role := range cells {
		cells[role] = cell
		if id := want.Stack(role, cell.ID); id != cell.ID {
			if cells[role] = h.plan.Cell(id); cells[role] == nil {
				return nil, fault.Infraf("start hosts", "the plan has no cell %s, whose stack a host has; plan again", id)
			}
		}
	}
	if want.Root.Role != "" {
		with := *cell
		with.Images = append([]matrix.ImageRef{want.Root}, cell.Images[1:]...)
		cells[0] = &with
	}
	return cells, nil
}

// each calls f for each of the wanted hosts of a cell until that fails.
func (h *Hosts) each(cell *matrix.Cell, want matrix.Hosts, f func(host.Parts, host.Settings) error) error {
	cells, err := h.cells(cell, want)
	for role, c := range cells {
		var parts host.Parts
		if err == nil {
			parts, err = h.parts(c)
		}
		if err == nil {
			err = f(parts, h.settings(c, want, role))
		}
	}
	return err
}
