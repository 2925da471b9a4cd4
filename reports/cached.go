package reports

import (
	"fmt"
	"strings"

	"github.com/virtmatrix/virtmatrix/internal/journal"
)

// origin says where an answer out of the cache comes from; nothing when the run
// itself gave it.
func origin(c *journal.Cached) string {
	if c == nil {
		return ""
	}
	return oneline(fmt.Sprintf("from the cache: run %s of %s", c.Run, c.Time.UTC().Format("2006-01-02 15:04 UTC")), 200)
}

// fromCache counts the results that the cache answered.
func fromCache(results []Result) int {
	n := 0
	for i := range results {
		if results[i].Cached() != nil {
			n++
		}
	}
	return n
}

// of returns the results of a cell.
func (m *Matrix) of(cell string) []Result {
	var out []Result
	for _, r := range m.Results {
		if r.Cell == cell {
			out = append(out, r)
		}
	}
	return out
}

// elsewhere counts the results that other cells answered.
func elsewhere(results []Result) int {
	n := 0
	for i := range results {
		if results[i].AskedIn != "" {
			n++
		}
	}
	return n
}

// sources says in words how many results the cells did not answer in this run
// themselves, or nothing when they answered all.
func sources(results []Result) string {
	var parts []string
	if n := fromCache(results); n > 0 {
		parts = append(parts, fmt.Sprintf("%d from the cache", n))
	}
	if n := elsewhere(results); n > 0 {
		parts = append(parts, fmt.Sprintf("%d asked in other cells", n))
	}
	return strings.Join(parts, ", ")
}
