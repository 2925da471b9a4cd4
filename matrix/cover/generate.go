package cover

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
)

// DefaultEffort is the effort of Options.Effort 0: some tenths of a second.
const DefaultEffort = 20_000_000

// Options say what array is wanted.
type Options struct {
	// Strength is t: every valid combination of levels of any t axes occurs.
	// From 1 to MaxStrength.
	Strength int
	// Seed makes the choices that do not matter.
	Seed uint64
	// Must are partial rows that have to be there; each becomes one row, whose
	// other cells serve coverage. The same one twice is one row.
	Must []Tuple
	// Budget is the largest number of rows, 0 for as many as it takes. Under
	// it the rows with most new coverage per cost are taken.
	Budget int
	// Effort bounds the work spent on making the array smaller, in tuples
	// looked up; 0 means DefaultEffort. More effort never gives more rows.
	Effort int
}

// Array is a covering array, its rows in the order in which to run them.
type Array struct {
	Strength int
	Rows     []Row
	// Must has for each of Options.Must the index of its row.
	Must []int
	// New has for each row how many valid tuples no earlier row covers.
	New []int
	// Complete says that every valid tuple is covered. Only a budget makes it
	// false.
	Complete bool
	// Method says how the array was found.
	Method string
}

// Generate makes a covering array. The error is a *Contradiction, or several
// joined, when forbidden tuples leave an axis level, a row of Must or the whole
// model without any valid row.
func Generate(ctx context.Context, model Model, opts Options) (Array, error) {
	a, err := generate(ctx, model, opts)
	if err != nil {
		return Array{}, fmt.Errorf("cannot cover model: %w", err)
	}
	return a, nil
}

func generate(ctx context.Context, model Model, opts Options) (Array, error) {
	c, err := model.compile()
	if err != nil {
		return Array{}, err
	}
	if err := c.checkSize(opts.Strength); err != nil {
		return Array{}, err
	}
	g := &generator{
		maker: &maker{
			compiled: c,
			sat:      newSolver(c.levels, c.rules),
			rng:      rand.New(rand.NewPCG(opts.Seed, 0x636f766572)),
		},
		opts: opts,
	}
	if err := errors.Join(g.checkPossible(), g.resolveMust()); err != nil {
		return Array{}, err
	}
	if opts.Budget < 0 || opts.Budget > 0 && opts.Budget < len(g.must) {
		return Array{}, fmt.Errorf("the budget of %d rows is less than the %d rows that must be there", opts.Budget, len(g.must))
	}
	if err := g.number(ctx); err != nil {
		return Array{}, err
	}
	if err := g.build(ctx); err != nil {
		return Array{}, err
	}
	return g.finished(ctx)
}

// generator makes one array.
type generator struct {
	*maker
	opts   Options
	must   [][]int // the distinct partial rows of opts.Must
	mustAt []int   // for each of opts.Must, its index in must
	method string
	pool   [][]int // the rows to choose from under a budget
}

// number sets the board up: the tuples, and which of them are valid.
func (g *generator) number(ctx context.Context) error {
	ts := newTuples(g.compiled.levels, g.opts.Strength)
	valid := slices.Repeat([]bool{true}, ts.size)
	for i := range ts.combos {
		if i%64 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		n := g.validate(ts, &ts.combos[i], valid)
		g.floor = max(g.floor, n)
	}
	g.board = newBoard(ts, func(n int) bool { return valid[n] })
	if len(g.rules) == 0 && g.opts.Strength == 2 {
		g.floor = max(g.floor, len(binary(g.compiled.levels)))
	}
	g.floor = max(g.floor, len(g.must))
	return nil
}

// validate marks the invalid tuples of a combo and returns how many are valid.
func (g *generator) validate(ts *tuples, c *combo, valid []bool) int {
	row := g.partial(nil)
	size, n := ts.levels[c.axes[0]]*c.stride[0], 0
	constrained := slices.ContainsFunc(c.axes, func(a int) bool { return g.sat.group[a] >= 0 })
	if !constrained {
		return size
	}
	for i := range size {
		for j, a := range c.axes {
			row[a] = i / c.stride[j] % ts.levels[a]
		}
		valid[c.base+i] = g.sat.possible(row)
		if valid[c.base+i] {
			n++
		}
	}
	return n
}

// build finds the rows: the best of several beginnings, made smaller.
func (g *generator) build(ctx context.Context) error {
	if err := g.begin(ctx, nil); err != nil {
		return err
	}
	g.method = "greedy"
	best, fixed := g.snapshot(), slices.Clone(g.fixed)
	g.pool = g.snapshot()[len(g.must):]
	for _, c := range g.constructions() {
		if len(best) <= g.floor {
			break
		}
		rows := c.rows(len(best) - 1)
		if rows == nil {
			continue
		}
		if err := g.begin(ctx, rows); err != nil {
			return err
		}
		if len(g.rows) < len(best) {
			best, fixed = g.snapshot(), slices.Clone(g.fixed)
			g.method = c.name
		}
	}
	g.restore(best, fixed)
	effort := g.opts.Effort
	if effort == 0 {
		effort = DefaultEffort
	}
	if err := g.shrink(ctx, effort); err != nil {
		return err
	}
	if len(g.rows) < len(best) {
		g.method += ", tabu search"
	}
	g.pool = append(g.pool, g.snapshot()[len(g.must):]...)
	return nil
}

// begin starts the board anew with the rows that must be there and what is
// useful of the given ones, and completes it.
func (g *generator) begin(ctx context.Context, rows [][]int) error {
	g.restore(nil, nil)
	for _, must := range g.must {
		fixed := make([]bool, len(must))
		for a, v := range must {
			fixed[a] = v != free
		}
		g.add(g.finish(slices.Clone(must)), fixed)
	}
	for _, row := range rows {
		if !g.valid(row) {
			row = g.repair(row)
		}
		if g.gain(row) > 0 {
			g.add(row, nil)
		}
	}
	if err := g.fill(ctx); err != nil {
		return err
	}
	g.dropUseless()
	return nil
}

func (g *generator) valid(row []int) bool {
	for a, v := range row {
		if !g.sat.allowed(row, a, v) {
			return false
		}
	}
	return true
}

// construction is a known way to make rows for models of some shape.
type construction struct {
	name string
	rows func(limit int) [][]int
}

// constructions returns those that can help here. They know nothing of
// forbidden tuples, so their rows may need repair.
func (g *generator) constructions() []construction {
	levels, t := g.compiled.levels, g.opts.Strength
	if t < 2 {
		return nil
	}
	all := []construction{{"orthogonal array", func(limit int) [][]int { return orthogonal(levels, t, limit) }}}
	if t == 2 {
		all = append(all, construction{"binary sets", func(int) [][]int { return binary(levels) }})
	}
	if t == 2 && len(g.rules) == 0 && slices.Max(levels) > 3 {
		all = append(all, construction{"cover starter", func(limit int) [][]int { return starter(levels, limit, g.rng) }})
	}
	return all
}

// finished chooses and orders the rows and gives them their names back.
func (g *generator) finished(ctx context.Context) (Array, error) {
	if g.opts.Budget > 0 && len(g.rows) > g.opts.Budget {
		if err := g.choose(ctx); err != nil {
			return Array{}, err
		}
	}
	if err := g.arrange(ctx); err != nil {
		return Array{}, err
	}
	a := Array{Strength: g.opts.Strength, Complete: len(g.open) == 0, Method: g.method, New: g.news()}
	for _, r := range g.rows {
		a.Rows = append(a.Rows, g.names(r))
	}
	for _, m := range g.mustAt {
		a.Must = append(a.Must, slices.IndexFunc(g.rows, func(r []int) bool { return contains(r, g.must[m]) }))
	}
	return a, nil
}

// news returns for each row how many tuples no earlier row covers.
func (g *generator) news() []int {
	rows, fixed := g.snapshot(), slices.Clone(g.fixed)
	g.restore(nil, nil)
	news := make([]int, len(rows))
	for i, r := range rows {
		news[i] = g.gain(r)
		g.add(r, fixed[i])
	}
	return news
}

// contains says whether a row has every decided cell of a partial one.
func contains(row, partial []int) bool {
	for a, v := range partial {
		if v != free && row[a] != v {
			return false
		}
	}
	return true
}

func (g *generator) names(row []int) Row {
	out := make(Row, len(row))
	for a, v := range row {
		out[a] = g.model.Axes[a].Levels[v]
	}
	return out
}
