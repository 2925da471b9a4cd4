package reports

import (
	"regexp"
	"strings"
)

// SameFailure says whether two failures have the same words and layer, less what differs
// from run to run.
func (r *Result) SameFailure(o *Result) bool {
	mine, _ := signature(r.Reason, r.Cell)
	its, _ := signature(o.Reason, o.Cell)
	return mine == its && r.Layer() == o.Layer()
}

// What differs between two tellings of one failure: identities, among them our guests' names
// and what mkstemp(3) makes of a file's, addresses, times, sizes and, in the sentence that a
// failure begins with, versions.
var (
	volatile = regexp.MustCompile(`(?i)\b(?:l2-[0-9a-f]{6}|secret\.\w{6}|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z|` +
		`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|0x[0-9a-f]+|(?:[0-9a-f]{2}:){5}[0-9a-f]{2}|` +
		`[0-9]+(?:\.[0-9]+)?(?:ns|µs|ms|s|m[0-9.]+s|h[0-9]+m[0-9.]+s)|[0-9a-f]{12,}|[0-9]{4,})\b`)
	versions = regexp.MustCompile(`(?:\b[0-9]+:)?\b[0-9]+(?:\.[0-9]+)+[\w.+~:-]*`)
	// wrapping is what we say of a failure before the product's own words.
	wrapping = regexp.MustCompile(`^cannot [^:\n]+: `)
)

// signature is what a failure has in common with others of one cause, and whether it is
// the product's own words, which may be those of several checks.
func signature(reason, cell string) (text string, own bool) {
	// What a report shows is enough to tell failures apart.
	reason = strings.TrimSpace(reason)
	reason = reason[:min(len(reason), shownText)]
	head, rest, _ := strings.Cut(strings.ReplaceAll(reason, cell, "CELL"), "\n")
	for {
		inner := wrapping.ReplaceAllString(head, "")
		if inner == head {
			break
		}
		head, own = inner, true
	}
	// A comparison that failed is the check's words, whatever it compared.
	own = own && len(strings.Fields(head)) > 3 && !strings.HasPrefix(rest, "Expected") && !strings.HasPrefix(head, "Expected") && strings.Contains(head, ": ")
	text = versions.ReplaceAllString(volatile.ReplaceAllString(head, "#"), "#") + "\n" + volatile.ReplaceAllString(rest, "#")
	return strings.Join(strings.Fields(text), " "), own
}
