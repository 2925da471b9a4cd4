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
		var out bytes.Buffer
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
		checkASCII(t, out.Bytes())
		var dirs []string
		for line := range strings.Lines(out.String()) {
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
			if !strings.Contains(out.String(), text) {
				t.Errorf("transcript lacks %s:\n%s", text, out.String())
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
		var out bytes.Buffer
		c := open(t, Options{Transcript: &out}, func(f *fakeQEMU) {
			f.serve(func(fakeCommand) string { return fmt.Sprintf("%q", strings.Repeat("x", 2*maxTranscribed)) })
		})
		do(t, c, "query-block")
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		if out.Len() > 4096 || !strings.Contains(out.String(), `"bytes":20971`) {
			t.Errorf("transcript of a 2 MiB reply has %d bytes", out.Len())
		}
	})
}

func TestTranscriptThatCannotBeWrittenIsReportedByClose(t *testing.T) {
	bubble(t, func(t *testing.T) {
		full := errors.New("no space left on device")
		c, err := New(t.Context(), pipe(t, func(f *fakeQEMU) { f.serve(func(fakeCommand) string { return "1" }) }),
			Options{Transcript: failingWriter{full}})
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

type failingWriter struct{ err error }

func (f failingWriter) Write([]byte) (int, error) { return 0, f.err }
