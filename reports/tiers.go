package reports

import (
	"fmt"
	"slices"
	"strings"

	"github.com/virtmatrix/virtmatrix/matrix"
)

// tierMeanings say what the host of a cell is, for readers who did not plan it.
var tierMeanings = map[matrix.Tier]string{
	matrix.Container: "a container on L0's kernel; the cell's linux is that of its guests",
	matrix.Nested:    "a machine that L0 boots, with the cell's linux",
}

// describeTier names a tier and says what it means.
func describeTier(t matrix.Tier) string {
	if meaning := tierMeanings[t]; meaning != "" {
		return string(t) + ": " + meaning
	}
	return oneline(string(t), 40)
}

// tiers lists the tiers of some cells, each once.
func tiers(cells []Cell) []matrix.Tier {
	return slices.DeleteFunc(matrix.Tiers(), func(t matrix.Tier) bool {
		return !slices.ContainsFunc(cells, func(c Cell) bool { return c.Tier == t })
	})
}

// tierFact says how many answers came from which tier, where there are cells that
// are not nested.
func (m *Matrix) tierFact() string {
	if in := tiers(m.Cells); len(in) == 0 || len(in) == 1 && in[0] == matrix.Nested {
		return ""
	}
	answers := map[matrix.Tier]int{}
	for i := range m.Results {
		if r := &m.Results[i]; r.Record != nil {
			answers[r.Tier]++
		}
	}
	var parts []string
	for _, t := range tiers(m.Cells) {
		parts = append(parts, fmt.Sprintf("%d %s", answers[t], t))
	}
	return "answers by tier: " + strings.Join(parts, ", ")
}

// layerOf says in which storey of a cell's tower a component is: a container has no
// kernel of its own, and the cell's boots in L2.
func (c *Cell) layerOf(comp matrix.Component) matrix.Layer {
	if c.Tier == matrix.Container && comp == matrix.Linux {
		return matrix.LayerL2
	}
	return layerOf[comp]
}
