package cover

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// named turns rows of indices into rows of the names that levels gives.
func named(rows [][]int) (out []Row) {
	for _, r := range rows {
		var row Row
		for _, v := range r {
			row = append(row, fmt.Sprint(v))
		}
		out = append(out, row)
	}
	return out
}

func counts(m Model) (out []int) {
	for _, a := range m.Axes {
		out = append(out, len(a.Levels))
	}
	return out
}

func TestFieldsObeyTheFieldLaws(t *testing.T) {
	for _, q := range []int{2, 3, 4, 5, 7, 8, 9, 11, 16, 25, 27} {
		f := newField(q)
		if f == nil {
			t.Errorf("no field of %d elements", q)
			continue
		}
		for a := range q {
			if f.sum[a][0] != a || f.mul[a][1] != a {
				t.Errorf("GF(%d): 0 or 1 is not neutral for %d", q, a)
			}
			if a > 0 && !slices.Contains(f.mul[a], 1) {
				t.Errorf("GF(%d): %d has no inverse", q, a)
			}
			for b := range q {
				for c := range q {
					if f.mul[a][f.sum[b][c]] != f.sum[f.mul[a][b]][f.mul[a][c]] {
						t.Fatalf("GF(%d): %d*(%d+%d) is not distributive", q, a, b, c)
					}
					if f.mul[a][f.mul[b][c]] != f.mul[f.mul[a][b]][c] {
						t.Fatalf("GF(%d): %d*%d*%d is not associative", q, a, b, c)
					}
				}
			}
		}
	}
	for _, q := range []int{6, 10, 12, 15} {
		if newField(q) != nil {
			t.Errorf("a field of %d elements cannot be", q)
		}
	}
}

func TestOrthogonalArrays(t *testing.T) {
	for _, tc := range []struct{ levels, axes, t, rows int }{{3, 4, 2, 9}, {4, 5, 2, 16}, {9, 10, 2, 81}, {6, 8, 2, 49}, {3, 4, 3, 27}, {4, 5, 4, 256}} {
		m := levels(tc.levels, tc.axes)
		rows := orthogonal(counts(m), tc.t, 1000)
		if len(rows) != tc.rows {
			t.Errorf("%d rows for %+v", len(rows), tc)
		}
		mustCover(t, m, tc.t, named(rows))
	}
	if orthogonal(counts(levels(9, 10)), 2, 80) != nil || orthogonal(counts(levels(2, 100)), 2, 1<<20) != nil {
		t.Error("an array beyond the limit was made")
	}
}

func TestBinaryArraysAreTheSmallest(t *testing.T) {
	// The largest number of columns for 4 to 11 rows: C(n-1, ceil(n/2)).
	for i, most := range []int{3, 4, 10, 15, 35, 56, 126, 210} {
		for _, k := range []int{max(2, most-1), most} {
			m := levels(2, k)
			rows := binary(counts(m))
			if k == most && len(rows) != i+4 {
				t.Errorf("%d rows for %d axes, want %d", len(rows), k, i+4)
			}
			mustCover(t, m, 2, named(rows))
		}
	}
	if binary([]int{2, 3}) != nil {
		t.Error("an axis of three levels was taken")
	}
}

func TestStartersCoverAllButPairsOfFixedLevels(t *testing.T) {
	m := levels(6, 10)
	rows := starter(counts(m), 1000, rand.New(rand.NewPCG(1, 1)))
	if len(rows) == 0 || len(rows) > 50 || len(rows)%10 != 0 {
		t.Fatalf("%d rows", len(rows))
	}
	cov, err := Verify(m, 2, named(rows))
	if err != nil {
		t.Fatal(err)
	}
	group := len(rows) / 10
	for _, missing := range cov.Missing {
		if missing[0].Level < fmt.Sprint(group) || missing[1].Level < fmt.Sprint(group) {
			t.Errorf("%s is missing, of which not both levels are fixed", missing)
		}
	}
	if starter(counts(m), 9, rand.New(rand.NewPCG(1, 1))) != nil {
		t.Error("rows beyond the limit were made")
	}
}
