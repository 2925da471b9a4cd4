package cover

import (
	"fmt"
	"testing"
)

// levels describes a model by pairs of a number of levels and a number of axes
// that have as many.
func levels(spec ...int) Model {
	var m Model
	for i := 0; i < len(spec); i += 2 {
		for range spec[i+1] {
			a := Axis{Name: fmt.Sprint("a", len(m.Axes))}
			for l := range spec[i] {
				a.Levels = append(a.Levels, fmt.Sprint(l))
			}
			m.Axes = append(m.Axes, a)
		}
	}
	return m
}

// published is the table by which generators of pairwise tests are compared
// (pairwise.org/efficiency.html): the best result there, and PICT's. At the
// default effort the seeds 0 to 9 give 9, 15, 28 or 29, 20 or 21, 10, 166 or 167.
var published = []struct {
	name       string
	model      Model
	best, pict int
}{
	{"3^4", levels(3, 4), 9, 9},
	{"3^13", levels(3, 13), 15, 18},
	{"4^15_3^17_2^29", levels(4, 15, 3, 17, 2, 29), 29, 37},
	{"4^1_3^39_2^35", levels(4, 1, 3, 39, 2, 35), 21, 27},
	{"2^100", levels(2, 100), 10, 15},
	{"10^20", levels(10, 20), 180, 210},
}

func TestPublishedSizesAreReached(t *testing.T) {
	for _, p := range published {
		t.Run(p.name, func(t *testing.T) {
			a, err := Generate(t.Context(), p.model, Options{Strength: 2, Seed: 1})
			if err != nil {
				t.Fatal(err)
			}
			if len(a.Rows) > p.best {
				t.Errorf("%d rows, the best published array has %d", len(a.Rows), p.best)
			}
			mustCover(t, p.model, 2, a.Rows)
		})
	}
}

// mustCover checks rows tuple by tuple with the independent code.
func mustCover(t testing.TB, m Model, strength int, rows []Row) Coverage {
	t.Helper()
	cov, err := Verify(m, strength, rows)
	if err != nil {
		t.Fatal(err)
	}
	if !cov.Complete() {
		t.Fatalf("%d of %d tuples covered, %d rows invalid", cov.Covered, cov.Valid, len(cov.Invalid))
	}
	return cov
}

func BenchmarkPublished(b *testing.B) {
	for _, p := range published {
		b.Run(p.name, func(b *testing.B) {
			benchmark(b, p.model, Options{Strength: 2, Seed: 1})
			b.ReportMetric(float64(p.best), "best-published")
			b.ReportMetric(float64(p.pict), "PICT")
		})
	}
}

// BenchmarkPublishedHard spends ten times the effort.
func BenchmarkPublishedHard(b *testing.B) {
	for _, p := range published {
		b.Run(p.name, func(b *testing.B) {
			benchmark(b, p.model, Options{Strength: 2, Seed: 1, Effort: 10 * DefaultEffort})
		})
	}
}

// BenchmarkStack is a plan of the size that a nightly run has.
func BenchmarkStack(b *testing.B) {
	benchmark(b, stack(), Options{Strength: 2})
}

func BenchmarkStrength(b *testing.B) {
	for strength := 3; strength <= 6; strength++ {
		b.Run(fmt.Sprint("3^10_t", strength), func(b *testing.B) {
			benchmark(b, levels(3, 10), Options{Strength: strength, Seed: 1})
		})
	}
}

func benchmark(b *testing.B, m Model, opts Options) {
	b.Helper()
	var a Array
	for b.Loop() {
		var err error
		if a, err = Generate(b.Context(), m, opts); err != nil {
			b.Fatal(err)
		}
	}
	mustCover(b, m, opts.Strength, a.Rows)
	b.ReportMetric(float64(len(a.Rows)), "rows")
}
