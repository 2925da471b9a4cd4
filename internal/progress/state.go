package progress

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/virtmatrix/virtmatrix/matrix"
)

// Row is a cell whose progress is shown: how many checks it must answer, and
// how many it has answered already.
type Row struct {
	Cell         string
	Checks, Done int
}

// state is what a cell, or the making of images, is busy with.
type state struct {
	name string
	// doing is a word or two: "waiting", "waiting for memory", "booting", the ID
	// of a check, "done".
	doing string
	// since is when it began with that; zero while it waits or when it is done.
	since       time.Time
	done, total int64
	red         int
	// began and ended span the whole.
	began, ended time.Time
}

func newState(r Row) *state {
	return &state{name: r.Cell, doing: "waiting", done: int64(r.Done), total: int64(r.Checks)}
}

// red says whether a verdict is nothing to be pleased about.
func red(v matrix.Verdict) bool {
	switch v {
	case matrix.Pass, matrix.Known, matrix.Unsupported, "":
		return false
	}
	return true
}

// take changes the state of a cell by an event that is about it.
func (s *state) take(e Event) {
	if s.began.IsZero() {
		s.began = e.Time
	}
	if e.Total > 0 && e.Phase == Checking {
		s.done, s.total = e.Done, e.Total
	}
	switch {
	case e.Phase == Waiting:
		what, _, _ := strings.Cut(e.Text, ":")
		s.begin(clean("waiting "+what, 24), e.Time)
	case e.Phase == Booting:
		s.begin("booting", e.Time)
	case e.Phase == Checking:
		s.begin(clean(e.Check, 24), e.Time)
	case e.Phase == Finished && e.Check != "":
		s.done++
		if e.Total > 0 {
			s.done, s.total = e.Done, e.Total
		}
		if red(e.Verdict) {
			s.red++
		}
		if s.total > 0 && s.done >= s.total {
			s.end(e.Time)
		}
	case e.Phase == Finished:
		s.end(e.Time)
	}
}

func (s *state) begin(what string, at time.Time) {
	if s.doing != what || s.since.IsZero() {
		s.doing, s.since = what, at
	}
	s.ended = time.Time{}
}

func (s *state) end(at time.Time) { s.doing, s.since, s.ended = "done", time.Time{}, at }

// took is how long the cell has been at it, or was.
func (s *state) took(now time.Time) time.Duration {
	switch {
	case s.began.IsZero():
		return 0
	case !s.ended.IsZero():
		return s.ended.Sub(s.began)
	}
	return now.Sub(s.began)
}

// short writes a duration as people say it: "4s", "3m05s", "2h00m".
func short(d time.Duration) string {
	s := int(max(d, 0).Round(time.Second).Seconds())
	switch {
	case s < 60:
		return fmt.Sprintf("%ds", s)
	case s < 3600:
		return fmt.Sprintf("%dm%02ds", s/60, s%60)
	}
	return fmt.Sprintf("%dh%02dm", s/3600, s/60%60)
}

// size writes a number of bytes as people say it.
func size(n int64) string {
	if n < 1e6 {
		return fmt.Sprintf("%d kB", (n+999)/1000)
	}
	return fmt.Sprintf("%.1f MB", float64(n)/1e6)
}

// clean makes a text that may come from a guest fit for one line of a terminal:
// at most limit characters, none of which moves the cursor.
func clean(s string, limit int) string {
	var b strings.Builder
	n := 0
	for _, r := range s {
		if n++; n > limit {
			b.WriteString("…")
			break
		}
		if !unicode.IsPrint(r) {
			r = ' '
		}
		b.WriteRune(r)
	}
	return strings.TrimSpace(b.String())
}
