package run

import (
	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// peersOf are the cells of a plan whose stacks other cells' checks have on a host.
func peersOf(plan *matrix.Plan) map[string]bool {
	peers := map[string]bool{}
	for _, c := range plan.Cells {
		for _, check := range c.Checks {
			if check.Asked() && check.Hosts.Peer != "" {
				peers[check.Hosts.Peer] = true
			}
		}
	}
	return peers
}

// cells are those whose stacks the wanted hosts have, by role.
func (h *Hosts) cells(cell *matrix.Cell, want matrix.Hosts) ([]*matrix.Cell, error) {
	cells := make([]*matrix.Cell, max(want.Count, 1))
	for role := range cells {
		cells[role] = cell
	}
	if want.Peer == "" {
		return cells, nil
	}
	if cells[1] = h.plan.Cell(want.Peer); cells[1] == nil {
		return nil, fault.Infraf("start hosts", "the plan has no cell %s, whose stack the second host has; plan again", want.Peer)
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
