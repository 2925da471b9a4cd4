package rundir

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/virtmatrix/virtmatrix/matrix"
)

// SettleOrder stores the order in which the run takes its cells, an identity a
// line, unless one is stored already: of several processes the first one decides.
// It appears whole or not at all.
func (d *Dir) SettleOrder(ids []string) error {
	err := d.settle(orderName, strings.Join(ids, "\n")+"\n")
	if err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("cannot store order of cells: %w", err)
	}
	return nil
}

// settle writes a file that nobody has written yet.
func (d *Dir) settle(name, text string) error {
	tmp, err := os.CreateTemp(d.path, ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.WriteString(text)
	if err := errors.Join(err, tmp.Chmod(0o644), tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	return os.Link(tmp.Name(), d.Path(name))
}

// Ordered returns the cells of the run's plan in the order in which the run takes
// them: the plan's where no other is stored. An order that has not each cell of
// the plan once is an error.
func (d *Dir) Ordered(p *matrix.Plan) ([]*matrix.Cell, error) {
	var cells []*matrix.Cell
	for i := range p.Cells {
		cells = append(cells, &p.Cells[i])
	}
	text, err := os.ReadFile(d.Path(orderName))
	switch {
	case errors.Is(err, os.ErrNotExist):
		return cells, nil
	case err != nil:
		return nil, fmt.Errorf("cannot read order of cells: %w", err)
	}
	ids := strings.Fields(string(text))
	place := map[string]int{}
	for i, id := range ids {
		if p.Cell(id) == nil {
			return nil, fmt.Errorf("cannot read order of cells: %s:%d: the plan has no cell %q", orderName, i+1, id)
		}
		place[id] = i
	}
	if len(ids) != len(cells) || len(place) != len(cells) {
		return nil, fmt.Errorf("cannot read order of cells: %s names %d cells, %d different ones, and the plan has %d", orderName, len(ids), len(place), len(cells))
	}
	slices.SortFunc(cells, func(a, b *matrix.Cell) int { return place[a.ID] - place[b.ID] })
	return cells, nil
}
