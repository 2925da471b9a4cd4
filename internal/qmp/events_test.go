package qmp

import (
	"context"
	"testing"
	"testing/synctest"
)

func TestSlowSubscriberKeepsTheNewestEvents(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := open(t, Options{EventQueue: 2}, func(f *fakeQEMU) {
			f.handshake()
			f.next()
			for _, name := range []string{"RESET", "STOP", "RESUME", "SHUTDOWN"} {
				f.event(name)
			}
		})
		events, err := c.Events(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Do(t.Context(), "system_reset", nil, nil); err == nil {
			t.Error("a QEMU that hung up answered")
		}
		var got []string
		for e := range events {
			got = append(got, e.Event)
		}
		if len(got) != 2 || got[0] != "RESUME" || got[1] != "SHUTDOWN" {
			t.Errorf("events = %v, want the last two in order", got)
		}
	})
}

func TestEachSubscriberGetsEachEvent(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := open(t, Options{}, func(f *fakeQEMU) {
			f.handshake()
			f.next()
			f.event("STOP")
			f.hold()
		})
		one, err := c.Events(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		two, err := c.Events(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		go c.Do(ctx, "stop", nil, nil)
		a, b := <-one, <-two
		cancel()
		if a.Event != "STOP" || b.Event != "STOP" || a.Timestamp.Seconds != 1 || a.Data["offset"] != 3.0 {
			t.Errorf("events = %+v and %+v", a, b)
		}
	})
}

func TestEventsEndWithTheirContext(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := open(t, Options{}, func(f *fakeQEMU) { f.serve(func(fakeCommand) string { f.event("STOP"); return "1" }) })
		ctx, cancel := context.WithCancel(t.Context())
		events, err := c.Events(ctx)
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		synctest.Wait()
		if _, ok := <-events; ok {
			t.Error("channel is open after its context ended")
		}
		if got := do(t, c, "stop"); got != "1" {
			t.Errorf("reply = %s: the session must outlive a subscriber", got)
		}
	})
}
