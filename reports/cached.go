package reports

import (
	"fmt"

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

// fromCacheOf says in words how many of a cell's results the cache answered, or
// nothing when the run gave all of them.
func fromCacheOf(results []Result) string {
	if n := fromCache(results); n > 0 {
		return fmt.Sprintf("%d from the cache", n)
	}
	return ""
}
