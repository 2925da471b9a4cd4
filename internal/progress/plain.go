package progress

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// heartbeat is how long Plain is silent at most.
const heartbeat = 30 * time.Second

// Plain writes one line for each event that means something, for logs and for
// terminals that cannot do more, and when nothing happens for half a minute a
// line that tells what takes so long. Of the cells in rows it tells how many
// checks are done. The function it returns ends it.
func Plain(w io.Writer, rows ...Row) (Sink, func()) {
	p := newPlain(w, rows)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case now := <-tick.C:
				p.beat(now)
			}
		}
	}()
	return p.take, sync.OnceFunc(func() {
		close(stop)
		<-stopped
	})
}

type plain struct {
	mu sync.Mutex
	w  io.Writer
	// began is the time of the first event, spoke that of the last line.
	began, spoke time.Time
	// busy is the newest event that began something which has not ended.
	busy Event
	// since is when it began.
	since time.Time
	cells map[string]*state
}

func newPlain(w io.Writer, rows []Row) *plain {
	p := &plain{w: w, cells: map[string]*state{}}
	for _, r := range rows {
		p.cells[r.Cell] = newState(r)
	}
	return p
}

// take prints an event, unless it only tells how far something has come.
func (p *plain) take(e Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.began.IsZero() {
		p.began, p.spoke = e.Time, e.Time
	}
	e = p.counted(e)
	same := e.Phase == p.busy.Phase && e.Cell == p.busy.Cell && e.Check == p.busy.Check && e.Image == p.busy.Image
	if e.Phase == Finished {
		p.busy = Event{}
	} else {
		if !same {
			p.since = e.Time
		}
		p.busy = e
	}
	if e.Phase == Checking || same {
		return // the line comes when the check has ended
	}
	p.line(e.Time, describe(e))
}

// counted puts into an event of a cell how many checks are done, as far as it
// does not say so itself.
func (p *plain) counted(e Event) Event {
	if s := p.cells[e.Cell]; s != nil {
		s.take(e)
		if e.Total == 0 && e.Check != "" {
			e.Done, e.Total = s.done, s.total
		}
	}
	return e
}

// beat tells what is being done when nothing was said for long.
func (p *plain) beat(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.busy.Phase == "" || now.Sub(p.spoke) < heartbeat {
		return
	}
	p.line(now, fmt.Sprintf("still %s (%s)", describe(p.busy), short(now.Sub(p.since))))
}

func (p *plain) line(at time.Time, text string) {
	p.spoke = at
	fmt.Fprintf(p.w, "%7s  %s\n", short(at.Sub(p.began)), text)
}

// describe puts an event into words.
func describe(e Event) string {
	var words []string
	add := func(w ...string) {
		for _, s := range w {
			if s != "" {
				words = append(words, s)
			}
		}
	}
	switch {
	case e.Phase == Finished && e.Check != "":
		add(fmt.Sprintf("%-11s", e.Verdict), clean(e.Check, 40), clean(e.Cell, 80))
	case e.Phase == Finished && e.Image != "":
		add("image ready", clean(e.Image, 80))
	case e.Phase == Finished:
		add("done", clean(e.Cell, 80))
	default:
		add(string(e.Phase), clean(e.Image, 80), clean(e.Check, 40), clean(e.Cell, 80))
	}
	if e.Total > 0 {
		if e.Phase == Fetching {
			add(fmt.Sprintf("%s of %s", size(e.Done), size(e.Total)))
		} else {
			add(fmt.Sprintf("%d/%d", e.Done, e.Total))
		}
	}
	if e.Seconds >= 0.05 {
		add(fmt.Sprintf("%.1fs", e.Seconds))
	}
	line := strings.Join(words, " ")
	if text := clean(e.Text, 200); text != "" {
		line += ": " + text
	}
	return line
}
