package matrix

import (
	"fmt"
	"strings"

	"github.com/virtmatrix/virtmatrix/matrix/cover"
)

// newIn says what a cell is the first with, of the combinations of strength
// values: "first with qemu=10.0 and firmware=uefi, and 11 other pairs". It
// returns "" when that is nothing.
func newIn(tuples []cover.Tuple, strength int) string {
	if len(tuples) == 0 {
		return ""
	}
	text := "first with " + inWords(tuples[0])
	if n := len(tuples) - 1; n > 0 {
		text += fmt.Sprintf(", and %d other %s", n, combinations(strength, n))
	}
	return text
}

// inWords writes a tuple as "linux=6.1, qemu=10.0 and firmware=uefi".
func inWords(t cover.Tuple) string {
	var settings []string
	for _, s := range t {
		settings = append(settings, s.Axis+"="+s.Level)
	}
	return listed(settings)
}

// listed joins words as "a, b and c".
func listed(words []string) string {
	last := len(words) - 1
	if last < 1 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:last], ", ") + " and " + words[last]
}

// combinations names n combinations of strength values.
func combinations(strength, n int) string {
	names := map[int]string{1: "value", 2: "pair", 3: "triple"}
	word, ok := names[strength]
	switch {
	case !ok && n == 1:
		return fmt.Sprintf("combination of %d values", strength)
	case !ok:
		return fmt.Sprintf("combinations of %d values", strength)
	case n == 1:
		return word
	}
	return word + "s"
}
