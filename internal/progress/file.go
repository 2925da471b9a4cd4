package progress

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// pattern matches the files of events in the folder of a run.
const pattern = "progress-*.ndjson"

// pollEvery is how often Follow looks for more.
const pollEvery = 200 * time.Millisecond

// File appends events to a file, one JSON object a line, and returns the
// function that closes it. An event that cannot be written is lost: progress
// never stops a run.
func File(path string) (Sink, func() error, error) {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot write progress: %w", err)
	}
	var mu sync.Mutex
	sink := func(e Event) {
		if e.Time.IsZero() {
			e.Time = time.Now().UTC()
		}
		line, err := json.Marshal(e)
		if err != nil {
			return // an Event holds nothing that JSON has no word for, but NaN
		}
		mu.Lock()
		defer mu.Unlock()
		_, _ = f.Write(append(line, '\n'))
	}
	return sink, f.Close, nil
}

// Follow hands the events of all progress files of a run folder to the sink as
// the files grow, those of one file in their order, until ctx ends; then it
// reads what is there and returns. A line without its end waits for the rest.
// What is no event is passed over.
func Follow(ctx context.Context, dir string, sink Sink) error {
	t := &tails{dir: dir, sink: sink, at: map[string]*tail{}}
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		if err := t.poll(); err != nil {
			return fmt.Errorf("cannot follow progress: %w", err)
		}
		select {
		case <-ctx.Done():
			return t.poll()
		case <-tick.C:
		}
	}
}

// tails are the files that are followed.
type tails struct {
	dir  string
	sink Sink
	at   map[string]*tail
}

// tail is how far a file has been read.
type tail struct {
	offset int64
	// torn is the beginning of a line whose end is not written yet.
	torn []byte
}

func (t *tails) poll() error {
	entries, err := os.ReadDir(t.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if ok, _ := filepath.Match(pattern, e.Name()); !ok || !e.Type().IsRegular() {
			continue
		}
		if t.at[e.Name()] == nil {
			t.at[e.Name()] = &tail{}
		}
		for more := true; more; {
			if more, err = t.read(e.Name()); err != nil {
				return err
			}
		}
	}
	return nil
}

// maxRead is how many bytes of a file are in memory at a time: a run of days is
// followed from its beginning.
const maxRead = 1 << 20

// read tells the next events of a file, and whether there may be more.
func (t *tails) read(name string) (more bool, err error) {
	f, err := os.Open(filepath.Join(t.dir, name))
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	tail := t.at[name]
	part, err := io.ReadAll(io.NewSectionReader(f, tail.offset, maxRead))
	if err != nil {
		return false, err
	}
	tail.offset += int64(len(part))
	text := append(tail.torn, part...)
	whole := bytes.LastIndexByte(text, '\n') + 1
	tail.torn = slices.Clone(text[whole:])
	for line := range strings.Lines(string(text[:whole])) {
		var e Event
		if json.Unmarshal([]byte(line), &e) == nil && e.Phase != "" {
			t.sink(e)
		}
	}
	return len(part) == maxRead, nil
}
