package cover

// field is the finite field with q elements, 0 to q-1; 0 and 1 are neutral.
type field struct {
	q        int
	sum, mul [][]int
}

// maxField is the largest field that a construction may ask for: an array over
// it has thousands of rows, more than any plan wants.
const maxField = 64

// fieldAtLeast returns the smallest field with at least n elements, nil when
// that is larger than maxField.
func fieldAtLeast(n int) *field {
	for q := max(n, 2); q <= maxField; q++ {
		if f := newField(q); f != nil {
			return f
		}
	}
	return nil
}

// newField returns the field with q elements, nil when q is no prime power.
// Elements are polynomials over GF(p), their coefficients the digits of the
// element in base p; the modulus is found by trying all of its degree.
func newField(q int) *field {
	p := 2
	for q%p != 0 {
		p++
	}
	degree, n := 0, 1
	for n < q {
		n *= p
		degree++
	}
	if n != q {
		return nil
	}
	for modulus := range q {
		if f := tabulate(q, p, degree, modulus); f.isField() {
			return f
		}
	}
	return nil
}

// tabulate makes the tables modulo x^degree - modulus.
func tabulate(q, p, degree, modulus int) *field {
	f := &field{q: q, sum: make([][]int, q), mul: make([][]int, q)}
	for a := range q {
		f.sum[a], f.mul[a] = make([]int, q), make([]int, q)
		for b := range q {
			f.sum[a][b] = addDigits(a, b, p)
		}
	}
	for a := range q {
		for b := range q {
			product, shifted := 0, a
			for rest := b; rest > 0; rest /= p {
				for range rest % p {
					product = f.sum[product][shifted]
				}
				overflow := shifted * p / q
				shifted = shifted * p % q
				for range overflow {
					shifted = f.sum[shifted][modulus]
				}
			}
			f.mul[a][b] = product
		}
	}
	return f
}

// addDigits adds two numbers digit by digit in base p without carry.
func addDigits(a, b, p int) int {
	sum, unit := 0, 1
	for a > 0 || b > 0 {
		sum += (a%p + b%p) % p * unit
		a, b, unit = a/p, b/p, unit*p
	}
	return sum
}

// isField says whether no product of two elements other than 0 is 0, which for
// a finite ring is all it takes.
func (f *field) isField() bool {
	for a := 1; a < f.q; a++ {
		for b := 1; b < f.q; b++ {
			if f.mul[a][b] == 0 {
				return false
			}
		}
	}
	return true
}
