package matrix

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Nearest returns the name that takes the fewest edits (Levenshtein, ignoring
// case) to reach from a misspelt one, the first of equals. It returns "" when
// nothing is near enough to be what was meant.
func Nearest(name string, names []string) string {
	best, nearest := -1, ""
	for _, n := range names {
		d := levenshtein(strings.ToLower(name), strings.ToLower(n))
		if tolerated := (max(len(name), len(n)) + 2) / 3; d > tolerated {
			continue
		}
		if best < 0 || d < best {
			best, nearest = d, n
		}
	}
	return nearest
}

// Unknown is the error for a name that is not among the valid ones: it gives
// the nearest, or all of them when none is near.
func Unknown(what, name string, names []string) error {
	return fmt.Errorf("unknown %s %q; %s", what, name, suggest(name, names))
}

func suggest(name string, names []string) string {
	if n := Nearest(name, names); n != "" {
		return fmt.Sprintf("did you mean %q?", n)
	}
	if len(names) == 0 {
		return "there are none"
	}
	if n := len(names); n > suggested {
		return fmt.Sprintf("there are %s and %d more (see virtmatrix list --help)", strings.Join(names[:suggested], ", "), n-suggested)
	}
	return "there are " + strings.Join(names, ", ")
}

// ErrNoMatch says that a selector is nothing's name, or part of one.
var ErrNoMatch = errors.New("nothing matches")

// suggested is how many names an error lists.
const suggested = 30

// levenshtein counts the insertions, deletions and substitutions of bytes
// between two texts.
func levenshtein(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			substituted := diagonal
			if a[i] != b[j] {
				substituted++
			}
			diagonal = row[j+1]
			row[j+1] = min(substituted, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// Select returns the names that any of the patterns selects, in the order of
// names; no patterns select all. A pattern that selects nothing is an error
// that gives the nearest name.
//
// A pattern is a whole name, which selects only that name, or a part of names:
// "libvirt-9.0", "qemu", "START". Case does not matter and "*" stands for any
// text. A part never ends inside a word or a version: "linux-6.1" leaves
// linux-6.12 alone, "linux-6.1*" has both.
func Select(patterns, names []string) ([]string, error) {
	if len(patterns) == 0 {
		return slices.Clone(names), nil
	}
	chosen := make([]bool, len(names))
	for _, p := range patterns {
		matched := false
		match := matcher(p, names)
		for i, n := range names {
			if match(n) {
				chosen[i], matched = true, true
			}
		}
		if !matched {
			return nil, fmt.Errorf("%w %q; %s", ErrNoMatch, p, suggest(p, parts(names)))
		}
	}
	var out []string
	for i, n := range names {
		if chosen[i] {
			out = append(out, n)
		}
	}
	return out, nil
}

func matcher(pattern string, names []string) func(string) bool {
	whole := func(name string) bool { return strings.EqualFold(name, pattern) }
	if slices.ContainsFunc(names, whole) {
		return whole
	}
	if strings.Trim(pattern, " ") == "" {
		return func(string) bool { return false }
	}
	quoted := strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, ".*")
	return regexp.MustCompile(`(?i)(^|[^a-z0-9.])` + quoted + `($|[^a-z0-9.])`).MatchString
}

// parts lists the names and then the parts between their underscores, each
// once: what a misspelt pattern may have meant.
func parts(names []string) []string {
	out := slices.Clone(names)
	for _, n := range names {
		for p := range strings.SplitSeq(n, "_") {
			if !slices.Contains(out, p) {
				out = append(out, p)
			}
		}
	}
	return out
}
