package matrix

import (
	"cmp"

	debversion "github.com/knqyf263/go-deb-version"
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
	return cmp.Compare(va.Compare(vb), 0)
}
