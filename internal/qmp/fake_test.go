package qmp

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"testing"
	"testing/synctest"
)

const banner72 = `{"QMP":{"version":{"qemu":{"micro":22,"minor":2,"major":7},"package":"Debian 1:7.2+dfsg-7"},"capabilities":["oob"]}}`

// fakeQEMU is the other end of a session. Each test scripts it step by step.
type fakeQEMU struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

type fakeCommand struct {
	Execute   string          `json:"execute"`
	Arguments json.RawMessage `json:"arguments"`
	ID        string          `json:"id"`
}

// next reads one command; ok is false once the client is gone.
func (f *fakeQEMU) next() (cmd fakeCommand, ok bool) {
	line, err := f.in.ReadBytes('\n')
	if err != nil {
		return cmd, false
	}
	if err := json.Unmarshal(line, &cmd); err != nil {
		f.t.Errorf("client sent a line that is not a command: %q: %v", line, err)
		return cmd, false
	}
	return cmd, true
}

// say writes raw text. The client may hang up at any time, so a failed write
// is not a failure of the test.
func (f *fakeQEMU) say(format string, args ...any) {
	fmt.Fprintf(f.conn, format+"\r\n", args...)
}

func (f *fakeQEMU) reply(cmd fakeCommand, value string) {
	f.say(`{"return": %s, "id": %q}`, value, cmd.ID)
}

func (f *fakeQEMU) event(name string) {
	f.say(`{"timestamp": {"seconds": 1, "microseconds": 2}, "event": %q, "data": {"offset": 3}}`, name)
}

// handshake greets and answers qmp_capabilities.
func (f *fakeQEMU) handshake() {
	f.say(banner72)
	if cmd, ok := f.next(); ok {
		f.reply(cmd, "{}")
	}
}

// serve answers every command with the text that answer returns for it.
func (f *fakeQEMU) serve(answer func(fakeCommand) string) {
	f.handshake()
	for cmd, ok := f.next(); ok; cmd, ok = f.next() {
		f.reply(cmd, answer(cmd))
	}
}

// pipe starts a fake QEMU that runs script and then hangs up, and returns the
// client's end of the stream.
func pipe(t *testing.T, script func(*fakeQEMU)) net.Conn {
	t.Helper()
	client, server := net.Pipe()
	go func() {
		defer server.Close()
		script(&fakeQEMU{t: t, conn: server, in: bufio.NewReader(server)})
	}()
	return client
}

// open starts a fake QEMU and a session with it. The session is closed when
// the test ends.
func open(t *testing.T, opts Options, script func(*fakeQEMU)) *Conn {
	t.Helper()
	c, err := New(t.Context(), pipe(t, script), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// bubble runs a test in its own time, in which deadlines cost nothing, and
// fails it when it leaves a goroutine behind.
func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

// hold keeps the fake's end open, reading nothing more to answer, until the
// client hangs up.
func (f *fakeQEMU) hold() { io.Copy(io.Discard, f.in) }

func do(t *testing.T, c *Conn, command string) string {
	t.Helper()
	var out json.RawMessage
	if err := c.Do(t.Context(), command, nil, &out); err != nil {
		t.Fatal(err)
	}
	return string(out)
}
