package progress

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/sys/unix"
)

// Terminal says whether a file is a terminal that can move its cursor.
func Terminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil && os.Getenv("TERM") != "dumb"
}

// Colour says whether colours are welcome on a file: on a terminal, unless
// NO_COLOR is set (https://no-color.org).
func Colour(f *os.File) bool { return Terminal(f) && os.Getenv("NO_COLOR") == "" }

// Show is Live on a terminal and Plain elsewhere.
func Show(f *os.File, rows []Row) (Sink, func()) {
	if Terminal(f) {
		return Live(f, Colour(f), rows)
	}
	return Plain(f, rows...)
}

// Live draws a line for each cell, and one for what is fetched and built, and
// keeps them up to date. Checks that went wrong are told above, and why a cell
// waits. The function it
// returns ends it and leaves the last state on the screen.
func Live(w io.Writer, colour bool, rows []Row) (Sink, func()) {
	return live(rows, colour, mpb.WithOutput(w))
}

func live(rows []Row, colour bool, options ...mpb.ContainerOption) (Sink, func()) {
	s := &screen{colour: colour, cells: map[string]*state{}, bars: mpb.New(options...)}
	// The first line is drawn as soon as it is there, beside this goroutine.
	for _, r := range rows {
		s.cells[r.Cell] = newState(r)
		s.names = max(s.names, utf8.RuneCountInString(r.Cell))
		s.digits = max(s.digits, len(fmt.Sprint(r.Checks)))
	}
	for _, r := range rows {
		st := s.cells[r.Cell]
		s.add(func(now time.Time, width int) string { return s.cell(st, now, width) })
	}
	return s.take, sync.OnceFunc(s.close)
}

// screen is what Live draws.
type screen struct {
	colour bool
	bars   *mpb.Progress
	// names is the width of the longest cell's name, digits that of the largest
	// number of checks.
	names, digits int

	mu    sync.Mutex
	cells map[string]*state
	// making is the newest event about packages and images, makes when they
	// began; nil before the first.
	making *Event
	makes  time.Time
	lines  []*mpb.Bar
}

// add puts a line on the screen that draw fills.
func (s *screen) add(draw func(now time.Time, width int) string, options ...mpb.BarOption) {
	fill := func(w io.Writer, stat decor.Statistics) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		// The last column stays free: some terminals break the line at it.
		_, err := io.WriteString(w, draw(time.Now(), stat.AvailableWidth-1))
		return err
	}
	bar, err := s.bars.Add(0, mpb.BarFillerFunc(fill), append(options, mpb.BarFillerTrim())...)
	if err != nil {
		return // the screen was let go of meanwhile
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = append(s.lines, bar)
}

// take updates the screen by an event.
func (s *screen) take(e Event) {
	s.mu.Lock()
	cell, first, waits := s.cells[e.Cell], false, false
	switch {
	case cell != nil:
		before := cell.doing
		cell.take(e)
		waits = e.Phase == Waiting && cell.doing != before
	case e.Cell == "":
		if first = s.making == nil; first {
			s.makes = e.Time
		}
		s.making = &e
	}
	s.mu.Unlock()
	// The container draws while it adds, so it must not find the lock taken.
	if first {
		s.add(s.images, mpb.BarPriority(-1)) // above the cells
	}
	if e.Phase == Finished && e.Check != "" && red(e.Verdict) {
		fmt.Fprintln(s.bars, s.paint("31", describe(e)))
	}
	if waits {
		fmt.Fprintln(s.bars, describe(e)) // with the numbers, for which a line has no room
	}
}

// close draws a last time and lets go of the screen.
func (s *screen) close() {
	s.mu.Lock()
	lines := s.lines
	s.mu.Unlock()
	for _, b := range lines {
		b.Abort(false)
	}
	s.bars.Wait()
}

func (s *screen) paint(sgr, text string) string {
	if !s.colour || text == "" {
		return text
	}
	return "\x1b[" + sgr + "m" + text + "\x1b[0m"
}

// images is the line of what is fetched and built.
func (s *screen) images(now time.Time, width int) string {
	e := *s.making
	took := short(now.Sub(s.makes))
	if e.Phase == Finished {
		took = short(e.Time.Sub(s.makes))
	}
	return fit(fmt.Sprintf("%s  %s", took, describe(e)), width)
}

// barWidth is how wide the bar of a cell is, where there is room for it.
const barWidth = 16

// cell is the line of one cell: what matters most survives a narrow terminal.
func (s *screen) cell(st *state, now time.Time, width int) string {
	count := fmt.Sprintf("%*d/%-*d", s.digits, st.done, s.digits, st.total)
	tail := count + "  " + st.doing
	if !st.since.IsZero() && width >= 60 {
		tail += " " + short(now.Sub(st.since))
	}
	if took := st.took(now); took > 0 && width >= 60 {
		tail += "  (" + short(took) + " in all)"
	}
	reds := ""
	if st.red > 0 {
		reds = fmt.Sprintf("  %d red", st.red)
	}
	room := width - utf8.RuneCountInString(tail) - utf8.RuneCountInString(reds) - 2
	bar := ""
	if room >= s.names+barWidth+2 {
		bar = gauge(st.done, st.total) + "  "
		room -= barWidth + 2
	}
	name := ""
	if room >= 8 {
		name = pad(middle(st.name, room), min(s.names, room)) + "  "
	}
	text := fit(name+bar+tail, max(width-utf8.RuneCountInString(reds), 0))
	return text + s.paint("31", fit(reds, width))
}

// gauge draws how much of a whole is done.
func gauge(done, total int64) string {
	n := 0
	if total > 0 {
		n = int(min(done, total) * barWidth / total)
	}
	return strings.Repeat("█", n) + strings.Repeat("░", barWidth-n)
}

// fit cuts a text to a width.
func fit(s string, width int) string {
	if utf8.RuneCountInString(s) <= width {
		return s
	}
	if width < 1 {
		return ""
	}
	return string([]rune(s)[:width-1]) + "…"
}

// middle cuts a cell's name in the middle: cells differ at both ends.
func middle(s string, width int) string {
	r := []rune(s)
	if len(r) <= width {
		return s
	}
	head := (width - 1) / 2
	return string(r[:head]) + "…" + string(r[len(r)-(width-1-head):])
}

func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-utf8.RuneCountInString(s)))
}
