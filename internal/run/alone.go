package run

import (
	"context"

	"github.com/virtmatrix/virtmatrix/internal/admit"
	"github.com/virtmatrix/virtmatrix/internal/container"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// What follows is for those who want one host as all cells have it.

// Admit reserves room for a host of the cell.
func (h *Hosts) Admit(ctx context.Context, cell *matrix.Cell, tell func(why string)) (*admit.Claim, error) {
	return h.Reserve(ctx, cell, matrix.Hosts{}, tell)
}

// Boot starts a host of a cell of machines.
func (h *Hosts) Boot(ctx context.Context, cell *matrix.Cell, logDir string) (*host.VM, error) {
	hosts, err := h.Start(ctx, cell, matrix.Hosts{}, logDir)
	if err != nil {
		return nil, err
	}
	return hosts[0].(*host.VM), nil
}

// Contain starts a host of a cell of containers.
func (h *Hosts) Contain(ctx context.Context, cell *matrix.Cell, logDir string) (*container.Host, error) {
	hosts, err := h.Start(ctx, cell, matrix.Hosts{}, logDir)
	if err != nil {
		return nil, err
	}
	return hosts[0].(*container.Host), nil
}

// Restores says whether a host of the cell has a snapshot to be restored from.
func (h *Hosts) Restores(cell *matrix.Cell) bool { return h.Restorable(cell, matrix.Hosts{}) }

// Forget makes the next host of the cell one that boots.
func (h *Hosts) Forget(cell *matrix.Cell) error { return h.ForgetAll(cell, matrix.Hosts{}) }
