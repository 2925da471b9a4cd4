package progress

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/virtmatrix/virtmatrix/matrix"
)

// collector is a sink that remembers, and tells when something new came.
type collector struct {
	mu     sync.Mutex
	events []Event
	news   chan struct{}
}

func newCollector() *collector { return &collector{news: make(chan struct{}, 100)} }

func (c *collector) take(e Event) {
	c.mu.Lock()
	c.events = append(c.events, e)
	c.mu.Unlock()
	c.news <- struct{}{}
}

// checks returns the checks of the events so far.
func (c *collector) checks() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []string
	for _, e := range c.events {
		out = append(out, e.Check)
	}
	return out
}

func write(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

func TestFollowReadsBackWhatFileWrote(t *testing.T) {
	dir := t.TempDir()
	sink, closeFile, err := File(filepath.Join(dir, "progress-1.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	want := Event{Time: time.Unix(1000, 0).UTC(), Phase: Finished, Cell: "c", Check: "O-START", Verdict: matrix.Fail, Seconds: 1.5, Done: 2, Total: 3, Text: "a\nb"}
	sink(want)
	if err := closeFile(); err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	got := newCollector()
	if err := Follow(ended, dir, got.take); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Event{want}, got.events); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestFileGivesAnEventItsTime(t *testing.T) {
	dir := t.TempDir()
	sink, closeFile, err := File(filepath.Join(dir, "progress-1.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	sink(Event{Phase: Booting, Cell: "c"})
	if err := closeFile(); err != nil {
		t.Fatal(err)
	}
	got := newCollector()
	tails := &tails{dir: dir, sink: got.take, at: map[string]*tail{}}
	if err := tails.poll(); err != nil {
		t.Fatal(err)
	}
	if len(got.events) != 1 || got.events[0].Time.IsZero() {
		t.Errorf("got %+v, want one event with a time", got.events)
	}
}

func TestFollowWaitsForTheRestOfALine(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "progress-1.ndjson")
	got := newCollector()
	tails := &tails{dir: dir, sink: got.take, at: map[string]*tail{}}
	for _, step := range []struct {
		more string
		want []string
	}{
		{``, nil},
		{`{"phase":"checking","check":"A"}` + "\n" + `{"phase":"chec`, []string{"A"}},
		{`king","check":`, []string{"A"}},
		{`"B"}` + "\n", []string{"A", "B"}},
		{"not an event\n{}\n" + `{"phase":"checking","check":"C"}` + "\n", []string{"A", "B", "C"}},
	} {
		write(t, file, step.more)
		if err := tails.poll(); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got.checks(), step.want) {
			t.Errorf("after %q: got %q, want %q", step.more, got.checks(), step.want)
		}
	}
}

func TestFollowFindsFilesThatComeLater(t *testing.T) {
	dir := t.TempDir()
	got := newCollector()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- Follow(ctx, dir, got.take) }()
	for i, name := range []string{"progress-1.ndjson", "journal-1.ndjson", "progress-2.ndjson"} {
		write(t, filepath.Join(dir, name), `{"phase":"checking","check":"`+strings.Repeat("X", i+1)+`"}`+"\n")
	}
	<-got.news
	<-got.news
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if want := []string{"X", "XXX"}; !slices.Equal(got.checks(), want) {
		t.Errorf("got %q, want %q", got.checks(), want)
	}
}

func TestFollowOfNoFolderFails(t *testing.T) {
	err := Follow(t.Context(), filepath.Join(t.TempDir(), "gone"), func(Event) {})
	if err == nil || !strings.Contains(err.Error(), "cannot follow progress") {
		t.Errorf("got %v, want an error that says what was tried", err)
	}
}

func TestALongFileIsFollowedInParts(t *testing.T) {
	dir := t.TempDir()
	const events = 20000
	line := `{"phase":"checking","cell":"` + strings.Repeat("c", 100) + `"}` + "\n"
	write(t, filepath.Join(dir, "progress-1.ndjson"), strings.Repeat(line, events))
	if size := len(line) * events; size < 2*maxRead {
		t.Fatalf("%d bytes are no long file", size)
	}
	told := 0
	follow := &tails{dir: dir, at: map[string]*tail{}, sink: func(e Event) {
		if len(e.Cell) == 100 {
			told++
		}
	}}
	if err := follow.poll(); err != nil || told != events {
		t.Errorf("%d events were told, %v; want %d", told, err, events)
	}
}
