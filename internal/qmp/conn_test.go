package qmp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestGreetingTellsVersionAndPackage(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := open(t, Options{}, (*fakeQEMU).handshake)
		want := Greeting{Major: 7, Minor: 2, Micro: 22, Package: "Debian 1:7.2+dfsg-7", Capabilities: []string{"oob"}}
		if diff := cmp.Diff(want, c.Greeting()); diff != "" {
			t.Errorf("greeting (-want +got):\n%s", diff)
		}
		if got := c.Greeting().String(); got != "7.2.22" {
			t.Errorf("version = %q, want 7.2.22", got)
		}
	})
}

func TestRepliesAreMatchedById(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := open(t, Options{}, func(f *fakeQEMU) {
			f.handshake()
			first, _ := f.next()
			second, _ := f.next()
			f.reply(second, fmt.Sprintf("%q", second.Execute))
			f.reply(first, fmt.Sprintf("%q", first.Execute))
			f.hold()
		})
		var wg sync.WaitGroup
		for _, name := range []string{"query-cpus-fast", "query-block"} {
			wg.Go(func() {
				var got string
				if err := c.Do(t.Context(), name, nil, &got); err != nil || got != name {
					t.Errorf("reply to %s = %q, %v", name, got, err)
				}
			})
		}
		wg.Wait()
	})
}

func TestArgumentsReachQEMU(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := open(t, Options{}, func(f *fakeQEMU) {
			f.serve(func(cmd fakeCommand) string { return string(cmd.Arguments) })
		})
		var got struct{ URI string }
		if err := c.Do(t.Context(), "migrate", map[string]string{"uri": "exec:cat"}, &got); err != nil {
			t.Fatal(err)
		}
		if got.URI != "exec:cat" {
			t.Errorf("uri = %q", got.URI)
		}
	})
}

func TestDeadlineOfOneCommandLeavesTheSessionUsable(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := open(t, Options{RunTimeout: time.Second}, func(f *fakeQEMU) {
			f.handshake()
			slow, _ := f.next()
			slower, _ := f.next()
			next, _ := f.next()
			f.reply(slow, `"late"`)
			f.reply(slower, `"late"`)
			f.reply(next, `"in time"`)
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := c.Do(ctx, "stop", nil, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Do = %v, want its deadline", err)
		}
		if _, err := c.Run([]byte(`{"execute": "stop"}`)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Run = %v, want its deadline", err)
		}
		if got := do(t, c, "query-status"); got != `"in time"` {
			t.Errorf("reply = %s, want the one to this command", got)
		}
	})
}

func TestDeadlineHoldsWhenQEMUDoesNotRead(t *testing.T) {
	bubble(t, func(t *testing.T) {
		release := make(chan struct{})
		c := open(t, Options{}, func(f *fakeQEMU) { f.handshake(); <-release })
		for range 3 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			if err := c.Do(ctx, "stop", nil, nil); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("error = %v, want the deadline", err)
			}
			cancel()
		}
		close(release)
	})
}

func TestCloseFreesWaitersAndSubscribers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := open(t, Options{}, func(f *fakeQEMU) { f.handshake(); f.hold() })
		events, err := c.Events(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		waiting := make(chan error)
		go func() { waiting <- c.Do(context.Background(), "query-status", nil, nil) }()
		synctest.Wait()
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		if err := <-waiting; !errors.Is(err, ErrClosed) {
			t.Errorf("waiting command ended with %v, want ErrClosed", err)
		}
		if _, ok := <-events; ok {
			t.Error("event channel is open after Close")
		}
		if _, err := c.Events(t.Context()); !errors.Is(err, ErrClosed) {
			t.Errorf("Events after Close = %v, want ErrClosed", err)
		}
		if err := c.Connect(); !errors.Is(err, ErrClosed) {
			t.Errorf("Connect after Close = %v, want ErrClosed", err)
		}
	})
}

func TestReplyBeforeHangUpIsDelivered(t *testing.T) {
	for range 50 {
		bubble(t, func(t *testing.T) {
			c := open(t, Options{}, func(f *fakeQEMU) {
				f.handshake()
				cmd, _ := f.next()
				f.reply(cmd, "{}")
			})
			if err := c.Do(t.Context(), "quit", nil, nil); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestPeersThatDoNotSpeakQMP(t *testing.T) {
	for name, tc := range map[string]struct {
		say, want string
	}{
		"ssh banner":           {"SSH-2.0-Go", `"SSH-2.0-Go`},
		"no greeting":          {`{"return": {}}`, "instead of a greeting"},
		"greeting of a list":   {`["QMP"]`, `[\"QMP\"]`},
		"reply to nothing":     {banner72 + `{"return": {}, "id": "7"}`, "no command of ours"},
		"reply without id":     {banner72 + `{"error": {"class": "GenericError", "desc": "JSON parse error"}}`, "JSON parse error"},
		"event of wrong shape": {banner72 + `{"event": "STOP", "data": "x"}`, `\"STOP\"`},
		"endless message":      {banner72 + `{"a": "` + strings.Repeat("x", 5000), "more than 4096 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				stream := pipe(t, func(f *fakeQEMU) { go f.say("%s", tc.say); f.hold() })
				_, err := New(t.Context(), stream, Options{MaxMessage: 4096})
				if !errors.Is(err, ErrProtocol) || !strings.Contains(err.Error(), tc.want) {
					t.Errorf("error = %v, want ErrProtocol with %s", err, tc.want)
				}
			})
		})
	}
}

func TestMessageLimitCountsEachMessageAlone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := open(t, Options{MaxMessage: 4096}, func(f *fakeQEMU) {
			f.serve(func(fakeCommand) string { return fmt.Sprintf("%q", strings.Repeat("x", 4000)) })
		})
		for range 20 {
			do(t, c, "query-block")
		}
	})
}

func TestRunRefusesWhatCannotBeMatched(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := open(t, Options{}, func(f *fakeQEMU) {
			f.handshake()
			if cmd, ok := f.next(); ok {
				t.Errorf("%s reached QEMU", cmd.Execute)
			}
		})
		for command, want := range map[string]string{
			``:                         "unexpected end",
			`{"execute": "stop"} {}`:   "after top-level value",
			`{"exec": "stop"}`:         `needs a string "execute"`,
			`{"execute": 1}`:           `needs a string "execute"`,
			`{"execute":"a","id":"1"}`: `key "id"`,
		} {
			if _, err := c.Run([]byte(command)); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("Run(%s) = %v, want %q", command, err, want)
			}
		}
	})
}

func TestUndecodableReplyNamesTheCommand(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := open(t, Options{}, func(f *fakeQEMU) { f.serve(func(fakeCommand) string { return `"text"` }) })
		var n int
		err := c.Do(t.Context(), "query-status", nil, &n)
		var typeErr *json.UnmarshalTypeError
		if !errors.As(err, &typeErr) || !strings.Contains(err.Error(), "query-status") {
			t.Errorf("error = %v, want a type error that names the command", err)
		}
	})
}

func TestBrokenTransportIsGone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		broken := errors.New("connection reset by peer")
		stream := &brokenStream{Conn: pipe(t, (*fakeQEMU).handshake), err: broken}
		_, err := New(t.Context(), stream, Options{})
		if !errors.Is(err, ErrGone) || !errors.Is(err, broken) {
			t.Errorf("error = %v, want ErrGone and its cause", err)
		}
	})
}

// brokenStream can be read but not written.
type brokenStream struct {
	net.Conn
	err error
}

func (b *brokenStream) Write([]byte) (int, error) { return 0, b.err }
