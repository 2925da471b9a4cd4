package cover

import "slices"

// orthogonal returns the orthogonal array of Bush (Orthogonal arrays of index
// unity, 1952): the q^t polynomials of degree below t over GF(q), evaluated at
// every element and at infinity. It has q+1 columns; levels of narrower axes
// are folded. It returns nil when the axes do not fit or rows would be more
// than limit.
func orthogonal(levels []int, t, limit int) [][]int {
	f := fieldAtLeast(max(slices.Max(levels), len(levels)-1))
	if f == nil {
		return nil
	}
	n := 1
	for range t {
		if n *= f.q; n > limit {
			return nil
		}
	}
	rows := make([][]int, n)
	for i := range rows {
		coefficients := make([]int, t)
		for j, rest := 0, i; j < t; j, rest = j+1, rest/f.q {
			coefficients[j] = rest % f.q
		}
		rows[i] = make([]int, len(levels))
		for a := range levels {
			rows[i][a] = f.evaluate(coefficients, a) % levels[a]
		}
	}
	return rows
}

// evaluate returns the value of a polynomial at a point; the point q is
// infinity, where a polynomial has its leading coefficient.
func (f *field) evaluate(coefficients []int, point int) int {
	if point == f.q {
		return coefficients[len(coefficients)-1]
	}
	value := 0
	for i := len(coefficients) - 1; i >= 0; i-- {
		value = f.sum[f.mul[value][point]][coefficients[i]]
	}
	return value
}

// binary returns the smallest array of strength 2 for axes of two levels
// (Kleitman, Spencer: Families of k-independent sets, 1973; Katona, 1973): with
// n rows, the columns are the n/2-subsets of the rows (n/2 rounded down) that
// contain the first row; any two such sets meet, differ both ways, and leave a
// row out. It returns nil when an axis has more levels.
func binary(levels []int) [][]int {
	if slices.Max(levels) > 2 || len(levels) < 2 {
		return nil
	}
	n := 4
	for binomial(n-1, n/2-1) < len(levels) {
		n++
	}
	rows := make([][]int, n)
	for i := range rows {
		rows[i] = make([]int, len(levels))
	}
	in := make([]int, n/2-1) // a subset of the rows but the first
	for i := range in {
		in[i] = i
	}
	for a := range levels {
		rows[0][a] = levels[a] - 1
		for _, r := range in {
			rows[r+1][a] = levels[a] - 1
		}
		nextSubset(in, n-1)
	}
	return rows
}

func binomial(n, k int) int {
	b := 1
	for i := range k {
		b = b * (n - i) / (i + 1)
	}
	return b
}

// nextSubset changes a subset of 0..n-1, in rising order, to the next one.
func nextSubset(s []int, n int) {
	for i := len(s) - 1; i >= 0; i-- {
		if s[i] < n-len(s)+i {
			s[i]++
			for j := i + 1; j < len(s); j++ {
				s[j] = s[j-1] + 1
			}
			return
		}
	}
}
