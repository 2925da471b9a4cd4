package matrix

import "testing"

// BenchmarkNightly plans what a night runs. The rows are its cells; the product
// is how many there are without a cover.
func BenchmarkNightly(b *testing.B) {
	c, err := Default()
	if err != nil {
		b.Fatal(err)
	}
	var p *Plan
	for b.Loop() {
		if p, err = New(c, Request{Profile: "nightly"}); err != nil {
			b.Fatal(err)
		}
	}
	product := 0
	for _, cov := range p.Coverage {
		n := 1
		for _, a := range cov.Axes {
			n *= len(a.Values)
		}
		product += n
	}
	b.ReportMetric(float64(len(p.Cells)), "rows")
	b.ReportMetric(float64(product), "product")
}
