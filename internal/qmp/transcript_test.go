package qmp

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
)

func TestTranscriptHasOneLineOfASCIIPerMessage(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var out memory
		c := open(t, Options{Transcript: &out}, func(f *fakeQEMU) {
			f.handshake()
			cmd, _ := f.next()
			f.say("{\"return\":\n {\"name\": \"\u009b31m caf\u00e9 \U0001F40B \xff\x7f\"}, \"id\": %q}", cmd.ID)
			f.next()
			f.say("\x1b[2J")
			f.hold()
		})
		do(t, c, "query-name")
		if err := c.Do(t.Context(), "query-status", nil, nil); !errors.Is(err, ErrProtocol) {
			t.Errorf("error = %v, want ErrProtocol", err)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		checkASCII(t, out.text)
		var dirs []string
		for line := range strings.Lines(string(out.text)) {
			var e entry
			if err := json.Unmarshal([]byte(line), &e); err != nil || e.Time.IsZero() {
				t.Fatalf("line %q: %v", line, err)
			}
			dirs = append(dirs, string(e.Dir))
		}
		want := "received sent received sent received sent received"
		if got := strings.Join(dirs, " "); got != want {
			t.Errorf("directions = %s, want %s", got, want)
		}
		for _, text := range []string{`caf\u00e9`, `\ud83d\udc0b`, `\u009b31m`, `\ufffd\u007f`, `"text":"\u001b[2J`} {
			if !strings.Contains(string(out.text), text) {
				t.Errorf("transcript lacks %s:\n%s", text, string(out.text))
			}
		}
	})
}

func checkASCII(t *testing.T, b []byte) {
	t.Helper()
	for i, c := range b {
		if c != '\n' && (c < 0x20 || c > 0x7e) {
			t.Fatalf("byte %#x at %d is not printable ASCII", c, i)
		}
	}
}

func TestTranscriptShortensHugeMessages(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var out memory
		c := open(t, Options{Transcript: &out}, func(f *fakeQEMU) {
			f.serve(func(fakeCommand) string { return fmt.Sprintf("%q", strings.Repeat("x", 2*maxTranscribed)) })
		})
		do(t, c, "query-block")
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		if len(out.text) > 4096 || !strings.Contains(string(out.text), `"bytes":5243`) {
			t.Errorf("transcript of a huge reply has %d bytes", len(out.text))
		}
	})
}

func TestTranscriptThatCannotBeWrittenIsReportedByClose(t *testing.T) {
	bubble(t, func(t *testing.T) {
		full := errors.New("no space left on device")
		c, err := New(t.Context(), pipe(t, func(f *fakeQEMU) { f.serve(func(fakeCommand) string { return "1" }) }),
			Options{Transcript: &failingFile{err: full}})
		if err != nil {
			t.Fatal(err)
		}
		if got := do(t, c, "query-status"); got != "1" {
			t.Errorf("reply = %s: a lost transcript must not lose replies", got)
		}
		if err := c.Close(); !errors.Is(err, full) {
			t.Errorf("Close = %v, want the writer's error", err)
		}
		synctest.Wait()
	})
}

func TestTranscriptOfAnEmulatorThatSpeaksWithoutEndKeepsItsFirstAndItsLastPart(t *testing.T) {
	var out memory
	tr := &transcript{f: &out}
	const messages, size = 200, 128 << 10
	most := 0
	for i := range messages {
		tr.message(received, fmt.Appendf(nil, `{"event":"E%d","data":"%s"}`, i, strings.Repeat("x", size)))
		most = max(most, len(out.text))
	}
	if err := tr.close(); err != nil {
		t.Fatal(err)
	}
	if limit := firstPart + 2*lastPart + 2*size; most > limit {
		t.Errorf("the transcript took up to %d bytes, want at most %d", most, limit)
	}
	var numbers []int
	leftOut := int64(0)
	for line := range bytes.Lines(out.text) {
		var e struct {
			entry
			Message struct{ Event string } `json:"message"`
		}
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatalf("%.80q: %v", line, err)
		}
		if e.LeftOut > 0 {
			leftOut = e.LeftOut
			continue
		}
		var n int
		fmt.Sscanf(e.Message.Event, "E%d", &n)
		numbers = append(numbers, n)
	}
	if numbers[0] != 0 || numbers[6] != 6 || numbers[len(numbers)-1] != messages-1 || numbers[len(numbers)-10] != messages-10 {
		t.Errorf("it has the messages %v, want the first and the last of %d", numbers, messages)
	}
	if all := leftOut + int64(len(out.text)); all < messages*size || all > messages*(size+200) {
		t.Errorf("with the %d bytes that are left out it has %d", leftOut, all)
	}
}

// memory is a file that is none.
type memory struct{ text []byte }

func (m *memory) ReadAt(p []byte, at int64) (int, error) { return copy(p, m.text[at:]), nil }

func (m *memory) WriteAt(p []byte, at int64) (int, error) {
	if missing := int(at) + len(p) - len(m.text); missing > 0 {
		m.text = append(m.text, make([]byte, missing)...)
	}
	return copy(m.text[at:], p), nil
}

func (m *memory) Truncate(size int64) error {
	m.text = m.text[:size]
	return nil
}

type failingFile struct {
	memory
	err error
}

func (f *failingFile) WriteAt([]byte, int64) (int, error) { return 0, f.err }
