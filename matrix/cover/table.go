package cover

// tuples numbers every t-tuple of levels: all combinations of t axes, and for
// each combination all combinations of their levels.
type tuples struct {
	levels []int // how many levels each axis has
	t      int
	combos []combo
	byAxis [][]place
	size   int // number of tuples, valid or not
}

// combo is one set of t axes. The tuple with values v has the number
// base + sum(v[i]*stride[i]).
type combo struct {
	base   int
	axes   []int
	stride []int
}

// place is one combo as seen from one of its axes.
type place struct {
	base int
	own  int // stride of the axis itself
	// The other axes of the combo and their strides.
	axes, stride []int
}

// newTuples numbers the t-tuples of axes with the given numbers of levels.
func newTuples(levels []int, t int) *tuples {
	ts := &tuples{levels: levels, t: t, byAxis: make([][]place, len(levels))}
	ts.extend(nil)
	return ts
}

func (ts *tuples) extend(axes []int) {
	if len(axes) == ts.t {
		ts.add(append([]int(nil), axes...))
		return
	}
	next := 0
	if len(axes) > 0 {
		next = axes[len(axes)-1] + 1
	}
	for a := next; a <= len(ts.levels)-(ts.t-len(axes)); a++ {
		ts.extend(append(axes, a))
	}
}

func (ts *tuples) add(axes []int) {
	c := combo{base: ts.size, axes: axes, stride: make([]int, len(axes))}
	n := 1
	for i := len(axes) - 1; i >= 0; i-- {
		c.stride[i] = n
		n *= ts.levels[axes[i]]
	}
	ts.size += n
	ts.combos = append(ts.combos, c)
	for i, a := range axes {
		p := place{base: c.base, own: c.stride[i]}
		for j, b := range axes {
			if j != i {
				p.axes = append(p.axes, b)
				p.stride = append(p.stride, c.stride[j])
			}
		}
		ts.byAxis[a] = append(ts.byAxis[a], p)
	}
}

// number returns the number of the tuple that row has in the combo.
func (c *combo) number(row []int) int {
	n := c.base
	for i, a := range c.axes {
		n += row[a] * c.stride[i]
	}
	return n
}

// others returns the number of the tuple that row has in the place, with level
// 0 on the axis itself.
func (p *place) others(row []int) int {
	n := p.base
	for i, a := range p.axes {
		n += row[a] * p.stride[i]
	}
	return n
}

// decode returns the axes of a tuple and their levels.
func (ts *tuples) decode(number int) (axes, values []int) {
	lo, hi := 0, len(ts.combos)
	for hi-lo > 1 {
		if mid := (lo + hi) / 2; ts.combos[mid].base <= number {
			lo = mid
		} else {
			hi = mid
		}
	}
	c := &ts.combos[lo]
	values = make([]int, len(c.axes))
	rest := number - c.base
	for i, s := range c.stride {
		values[i] = rest / s
		rest %= s
	}
	return c.axes, values
}
