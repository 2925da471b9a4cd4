package matrix

import (
	"fmt"
	"slices"
	"strings"

	debversion "github.com/knqyf263/go-deb-version"
)

// Range is a range of versions: ">= 6.2, < 10". All that a comma joins must hold.
type Range struct {
	text   string
	bounds []bound
}

// bound is one comparison of a range.
type bound struct {
	signs   []int
	version string
}

// operators are the words of comparisons, longer ones first, with the results of
// Compare that they want.
var operators = []struct {
	word  string
	signs []int
}{
	{"<=", []int{-1, 0}}, {">=", []int{0, +1}}, {"!=", []int{-1, +1}},
	{"<", []int{-1}}, {">", []int{+1}}, {"=", []int{0}},
}

// ParseRange reads a range. One that no version can be in is an error.
func ParseRange(written string) (Range, error) {
	return parseRange(written, func(version string) (string, error) { return version, nil })
}

// parseRange reads a range whose versions may have names.
func parseRange(written string, resolve func(string) (string, error)) (Range, error) {
	r := Range{text: written}
	for part := range strings.SplitSeq(written, ",") {
		b, err := parseBound(strings.TrimSpace(part), resolve)
		if err != nil {
			return r, err
		}
		r.bounds = append(r.bounds, b)
	}
	// Where some version could be, one is at a bound, right below or right above.
	if !slices.ContainsFunc(r.bounds, func(b bound) bool {
		return r.within(b.version, -1) || r.within(b.version, 0) || r.within(b.version, +1)
	}) {
		return r, fmt.Errorf("no version can be %s", written)
	}
	return r, nil
}

func parseBound(written string, resolve func(string) (string, error)) (bound, error) {
	for _, o := range operators {
		rest, ok := strings.CutPrefix(written, o.word)
		if !ok {
			continue
		}
		version, err := resolve(strings.TrimSpace(rest))
		if err != nil {
			return bound{}, err
		}
		if !debversion.Valid(version) {
			return bound{}, fmt.Errorf("%q is not a version", version)
		}
		return bound{o.signs, version}, nil
	}
	return bound{}, fmt.Errorf("%q is no comparison: want <, <=, >, >=, = or != and a version", written)
}

// String returns the range as it was written.
func (r Range) String() string { return r.text }

// within says whether an upstream version is in the range; beside is which side of a
// bound it is meant to be on where it is at one.
func (r Range) within(version string, beside int) bool {
	return r.holds(func(bound string) int {
		if sign := Compare(version, bound); sign != 0 {
			return sign
		}
		return beside
	})
}

// Has says whether a package's version is in the range, by the order of its kind of
// repository. A bound without an epoch is compared without one, because people name
// upstream's numbers. One without a revision is a series: all of 11.3.0-3 is "<= 11.3",
// and none of it "> 11.3".
func (r Range) Has(version string, compare func(a, b string) int) bool {
	return r.holds(func(bound string) int {
		version := version
		if _, rest, ok := strings.Cut(version, ":"); ok && !strings.Contains(bound, ":") {
			version = rest
		}
		if !strings.Contains(bound, "-") && InSeries(upstream(bound), version) && !strings.Contains(bound, ":") {
			return 0
		}
		return compare(version, bound)
	})
}

func (r Range) holds(sign func(bound string) int) bool {
	return !slices.ContainsFunc(r.bounds, func(b bound) bool { return !slices.Contains(b.signs, sign(b.version)) })
}
