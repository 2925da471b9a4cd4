package reports

import (
	"fmt"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/virtmatrix/virtmatrix/internal/strict"
)

// Window is when packages are signed and pushed to the mirrors, each week in UTC: from
// Opens to Closes. What is tagged in it goes out at once, and what is tagged after it when
// it opens again. The zero Window is always open.
type Window struct {
	Opens  Moment `yaml:"opens"`
	Closes Moment `yaml:"closes"`
}

// Moment is a time of the week in UTC, since the beginning of its Monday; nil says nothing.
type Moment struct{ *time.Duration }

const day, week = 24 * time.Hour, 7 * 24 * time.Hour

var weekdays = []string{"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"}

// UnmarshalYAML reads "Thursday 09:00".
func (m *Moment) UnmarshalYAML(n ast.Node) error {
	name, clock, _ := strings.Cut(n.GetToken().Value, " ")
	at, err := time.Parse("15:04", clock)
	for i, weekday := range weekdays {
		if weekday == name && err == nil {
			since := time.Duration(i)*day + time.Duration(at.Hour())*time.Hour + time.Duration(at.Minute())*time.Minute
			m.Duration = &since
			return nil
		}
	}
	return strict.Wrong(n, "%q is no time of a week; want one such as Thursday 09:00 (UTC)", n.GetToken().Value)
}

// check says what is wrong with a window.
func (w Window) check() error {
	switch {
	case (w.Opens.Duration == nil) != (w.Closes.Duration == nil):
		return fmt.Errorf("release_window lacks opens or closes; a window has both")
	case w.Opens.Duration != nil && *w.Opens.Duration == *w.Closes.Duration:
		return fmt.Errorf("release_window opens when it closes; leave it out if it is always open")
	}
	return nil
}

// Out returns when what is tagged at a time goes out to users, and when the window closes
// that it goes out in.
func (w Window) Out(tagged time.Time) (out, closes time.Time) {
	if w.Opens.Duration == nil {
		return tagged, time.Time{}
	}
	tagged = tagged.UTC()
	midnight := time.Date(tagged.Year(), tagged.Month(), tagged.Day(), 0, 0, 0, 0, time.UTC)
	monday := midnight.Add(-day * time.Duration((int(tagged.Weekday())+6)%7))
	length := (*w.Closes.Duration - *w.Opens.Duration + week) % week
	// The window of the week before may still be open.
	for opens := monday.Add(*w.Opens.Duration - week); ; opens = opens.Add(week) {
		switch closes = opens.Add(length); {
		case tagged.After(closes):
			continue
		case tagged.Before(opens):
			return opens, closes
		}
		return tagged, closes
	}
}

// words says when what is tagged now goes out.
func (w Window) words(now time.Time) string {
	const layout = "Monday 2006-01-02 15:04 UTC"
	out, closes := w.Out(now)
	switch {
	case closes.IsZero():
		return ""
	case out.Equal(now):
		return fmt.Sprintf("tagged now, it goes out with the next push: the mirrors take packages until %s", closes.Format(layout))
	}
	return fmt.Sprintf("tagged now, it goes out on %s: until then the mirrors take no packages", out.Format(layout))
}
