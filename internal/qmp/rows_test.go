package qmp

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// The eight tests named Row are the eight faults measured in go-qemu's socket.

func TestRow1ReplyLargerThan64KiB(t *testing.T) {
	bubble(t, func(t *testing.T) {
		big := strings.Repeat("x", 1<<20)
		c := open(t, Options{}, func(f *fakeQEMU) {
			f.serve(func(fakeCommand) string { return fmt.Sprintf("%q", big) })
		})
		for range 2 {
			if got := do(t, c, "query-qmp-schema"); len(got) != len(big)+2 {
				t.Errorf("reply has %d bytes, want %d", len(got), len(big)+2)
			}
		}
	})
}

func TestRow2ReplyIsNotOverwrittenByLaterEvents(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := open(t, Options{}, func(f *fakeQEMU) {
			f.handshake()
			cmd, _ := f.next()
			f.reply(cmd, `{"status": "running"}`)
			for range 200 {
				f.event("RTC_CHANGE")
			}
			f.hold()
		})
		got, err := c.Run([]byte(`{"execute": "query-status"}`))
		if err != nil {
			t.Fatal(err)
		}
		before := string(got)
		synctest.Wait()
		if string(got) != before {
			t.Errorf("reply changed to %q", got)
		}
		if want := `{"return": {"status": "running"}, "id": "2"}`; before != want {
			t.Errorf("reply = %s, want %s", before, want)
		}
	})
}

func TestRow3UnreadEventsBlockNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		c := open(t, Options{EventQueue: 4}, func(f *fakeQEMU) {
			f.serve(func(fakeCommand) string {
				for range 10 {
					f.event("RTC_CHANGE")
				}
				return "1"
			})
		})
		events, err := c.Events(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for range 5 {
			do(t, c, "query-status")
		}
		if got := len(events); got != 4 {
			t.Errorf("%d of 50 events wait, want 4 with a queue of 4", got)
		}
		cancel()
		if err := c.Disconnect(); err != nil {
			t.Error(err)
		}
	})
}

func TestRow4QEMUGoneIsSaidSo(t *testing.T) {
	for name, last := range map[string]string{"between messages": "", "within a message": `{"return": {"sta`} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				c := open(t, Options{}, func(f *fakeQEMU) {
					f.handshake()
					f.next()
					fmt.Fprint(f.conn, last)
				})
				for range 2 {
					err := c.Do(t.Context(), "query-status", nil, nil)
					if !errors.Is(err, ErrGone) || !strings.Contains(err.Error(), "QEMU is gone") {
						t.Errorf("error = %v, want ErrGone", err)
					}
				}
			})
		})
	}
}

func TestRow5SocketHeldByAnotherClient(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := New(ctx, pipe(t, (*fakeQEMU).hold), Options{})
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "another client") {
			t.Errorf("error = %v, want a deadline that suspects another client", err)
		}
	})
}

func TestRow6ErrorClassIsKept(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := open(t, Options{}, func(f *fakeQEMU) {
			f.handshake()
			for cmd, ok := f.next(); ok; cmd, ok = f.next() {
				f.say(`{"error": {"class": "CommandNotFound", "desc": "no such command"}, "id": %q}`, cmd.ID)
			}
		})
		_, runErr := c.Run([]byte(`{"execute": "query-cpus"}`))
		for _, err := range []error{runErr, c.Do(t.Context(), "query-cpus", nil, nil)} {
			var refusal *Error
			if !errors.As(err, &refusal) || *refusal != (Error{Class: "CommandNotFound", Desc: "no such command"}) {
				t.Errorf("error = %v, want the refusal with its class", err)
			}
			if err == nil || !strings.Contains(err.Error(), "query-cpus") {
				t.Errorf("error = %v, want it to name the command", err)
			}
		}
	})
}

func TestRow7EventDuringNegotiationShiftsNoReply(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := open(t, Options{}, func(f *fakeQEMU) {
			f.say(banner72)
			cmd, _ := f.next()
			f.event("NIC_RX_FILTER_CHANGED")
			f.reply(cmd, "{}")
			cmd, _ = f.next()
			f.reply(cmd, `{"status": "paused"}`)
		})
		if got := do(t, c, "query-status"); got != `{"status": "paused"}` {
			t.Errorf("reply = %s", got)
		}
	})
}

func TestRow8InvalidJSONEndsTheSessionForAll(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := open(t, Options{}, func(f *fakeQEMU) {
			f.handshake()
			f.next()
			f.next()
			f.say("qemu: fatal: \x1b[31mbad")
			f.hold()
		})
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				err := c.Do(t.Context(), "query-status", nil, nil)
				if !errors.Is(err, ErrProtocol) || !strings.Contains(err.Error(), `qemu: fatal: \x1b[31mbad`) {
					t.Errorf("error = %v, want ErrProtocol that quotes the line", err)
				}
			})
		}
		wg.Wait()
	})
}

func TestEventBeforeTheGreeting(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := open(t, Options{}, func(f *fakeQEMU) {
			f.event("RESUME")
			f.serve(func(fakeCommand) string { return `{"status": "running"}` })
		})
		if got := do(t, c, "query-status"); got != `{"status": "running"}` {
			t.Errorf("reply = %s", got)
		}
		if c.Greeting().Major != 7 {
			t.Errorf("greeting = %+v", c.Greeting())
		}
	})
}
