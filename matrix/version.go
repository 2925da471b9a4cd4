package matrix

import (
	"cmp"
	"regexp"
	"strings"

	debversion "github.com/knqyf263/go-deb-version"
	rpmversion "github.com/knqyf263/go-rpm-version"
)

// Compare orders two versions by Debian's rules (deb-version(7)): epochs
// first, numbers as numbers, "~" before everything. It returns -1, 0 or +1.
//
// A text that is no Debian version sorts before every version, and by bytes
// among its like, so that sorting stays total whatever a source says.
func Compare(a, b string) int {
	va, errA := debversion.NewVersion(a)
	vb, errB := debversion.NewVersion(b)
	switch {
	case errA != nil && errB != nil:
		return cmp.Compare(a, b)
	case errA != nil:
		return -1
	case errB != nil:
		return +1
	}
	return cmp.Or(
		cmp.Compare(va.Epoch(), vb.Epoch()),
		compareParts(va.Version(), vb.Version()),
		compareParts(va.Revision(), vb.Revision()),
	)
}

// CompareRPM orders two versions ([EPOCH:]VERSION[-RELEASE]) by RPM's rules
// (rpm-version(7)): epochs first, numbers as numbers and after letters, "~"
// before everything and "^" after the end only. It returns -1, 0 or +1.
func CompareRPM(a, b string) int {
	return cmp.Compare(rpmversion.NewVersion(a).Compare(rpmversion.NewVersion(b)), 0)
}

// compareParts orders upstream versions, or revisions: in turns, what is no
// digit by Debian's order of characters, and digits as a number. The numbers
// may be longer than an integer, where the library's own comparison ends.
func compareParts(a, b string) int {
	for a != "" || b != "" {
		wordA, wordB := leading(&a, false), leading(&b, false)
		for i := range max(len(wordA), len(wordB)) {
			if d := cmp.Compare(rank(wordA, i), rank(wordB, i)); d != 0 {
				return d
			}
		}
		numA, numB := strings.TrimLeft(leading(&a, true), "0"), strings.TrimLeft(leading(&b, true), "0")
		if d := cmp.Or(cmp.Compare(len(numA), len(numB)), cmp.Compare(numA, numB)); d != 0 {
			return d
		}
	}
	return 0
}

// leading cuts the digits, or what is none, off the front of a text.
func leading(text *string, digits bool) string {
	end := strings.IndexFunc(*text, func(r rune) bool { return (r >= '0' && r <= '9') != digits })
	if end < 0 {
		end = len(*text)
	}
	front := (*text)[:end]
	*text = (*text)[end:]
	return front
}

// rank of a character: "~" comes before the end of the text, then letters,
// then all others.
func rank(text string, i int) int {
	switch {
	case i >= len(text):
		return 0
	case text[i] == '~':
		return -1
	case text[i] >= 'A' && text[i] <= 'Z', text[i] >= 'a' && text[i] <= 'z':
		return int(text[i])
	}
	return int(text[i]) + 256
}

// InSeries says whether a package's version is of an upstream series: 6.12 has
// 6.12.107-1 and 6.12~rc1-1, and not 6.120-1.
func InSeries(series, version string) bool {
	rest, ok := strings.CutPrefix(upstream(version), series)
	return ok && (rest == "" || rest[0] < '0' || rest[0] > '9')
}

// Series returns the first two numbers of a package's upstream version, which
// is how the catalogue names versions: "10.0" of "1:10.0.2+ds-2".
func Series(version string) string {
	return seriesText.FindString(upstream(version))
}

var seriesText = regexp.MustCompile(`^[0-9]+(\.[0-9]+)?`)
