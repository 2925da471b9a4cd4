package steps

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/virtmatrix/virtmatrix/fixtures/l2"
	"github.com/virtmatrix/virtmatrix/internal/agent"
	"github.com/virtmatrix/virtmatrix/internal/hosttest"
	"github.com/virtmatrix/virtmatrix/matrix"
	"golang.org/x/crypto/ssh"
)

// talks has the guest of a host answer questions, as say makes of them.
func talks(h *hosttest.Host, say func(l2.Request) *l2.Message) {
	h.OnDial = func(string) (net.Conn, error) {
		l0, guest := net.Pipe()
		go func() { <-h.Gone(); guest.Close() }() // as all wires into L1
		go func() {
			defer guest.Close()
			for in := bufio.NewScanner(guest); in.Scan(); {
				var req l2.Request
				if json.Unmarshal(in.Bytes(), &req) != nil {
					continue
				}
				if m := say(req); m != nil {
					m.Re = req.ID
					b, _ := json.Marshal(m)
					fmt.Fprintf(guest, "\n%s%s\n", l2.Prefix, b)
				}
			}
		}()
		return l0, nil
	}
}

// says is a guest with a token, whose pulse goes on each time that it is asked.
func says(token string) func(l2.Request) *l2.Message {
	n, word := int64(2), json.RawMessage(`""`)
	return func(req l2.Request) *l2.Message {
		n++
		switch req.Do {
		case l2.DoHello:
			return tells(l2.Facts{Token: token, Kernel: "6.1"})
		case l2.DoTick:
			return tells(l2.Tick{Count: n, BootID: "b"})
		case l2.DoKeep:
			word = req.Args
		}
		return &l2.Message{Value: word}
	}
}

// tells is an answer with a value.
func tells(value any) *l2.Message {
	text, _ := json.Marshal(value)
	return &l2.Message{Value: text}
}

func silent(l2.Request) *l2.Message { return nil }

// guestsPrint has a host answer what its guests have printed.
func guestsPrint(h *hosttest.Host, text string) {
	h.OnExec = func(_ context.Context, command string) (agent.Result, error) {
		if strings.Contains(command, "l2-x.console") && strings.HasPrefix(command, "tail -c") {
			return agent.Result{Stdout: []byte(text)}, nil
		}
		return agent.Result{}, nil
	}
}

func fakeGuest(t *T, token string) *Guest {
	return t.watchGuest(&Domain{t: t, Name: "l2-x", Token: token})
}

func TestAGuestProvesThatItIsTheOneThatWasStarted(t *testing.T) {
	on(t, func(b *bench, err error) {
		passes(b, err)
		if said := b.T.Said(); len(said) != 1 || !strings.Contains(said[0], `"token":"right"`) {
			b.t.Errorf("the guest's words in the journal: %q", said)
		}
	}, func(t *T, h *hosttest.Host) {
		talks(h, says("right"))
		g := fakeGuest(t, "right")
		g.WaitReady()
		if tick := g.Tick(); tick.Count != 4 {
			t.Fail(matrix.LayerL2, "tick %+v", tick)
		}
	})
	on(t, ends(matrix.Fail, matrix.LayerL2, `its token is "wrong", but "right" was started`), func(t *T, h *hosttest.Host) {
		talks(h, says("wrong"))
		fakeGuest(t, "right").WaitReady()
	})
}

func TestASilentGuestIsHungUnlessItsHostStarved(t *testing.T) {
	asked := func(starving bool) func(*T, *hosttest.Host) {
		return func(t *T, h *hosttest.Host) {
			talks(h, silent)
			guestsPrint(h, "[ 1.0] last words of L2\n")
			if starving {
				time.AfterFunc(time.Minute, h.Starve)
			}
			fakeGuest(t, "x").WaitReady()
		}
	}
	on(t, ends(matrix.Fail, matrix.LayerL2, "ask guest to say hello", "the guest did not answer", "last words of L2"), asked(false))
	on(t, infra("starved machine", "last words of L2"), asked(true))
}

// A guest whose kernel died will not answer: what it said is the reason, and the limit is not
// waited for.
func TestADyingGuestIsNoHang(t *testing.T) {
	on(t, func(b *bench, err error) {
		ends(matrix.Fail, matrix.LayerL2, "keep the console of L2 l2-x clean", "kernel BUG at drivers/xen/events/events_fifo.c:366!")(b, err)
		if b.T.spent > troublePoll*2 {
			b.t.Errorf("it was waited for %s", b.T.spent)
		}
	}, func(t *T, h *hosttest.Host) {
		talks(h, silent)
		guestsPrint(h, "[ 1.0] kernel BUG at drivers/xen/events/events_fifo.c:366!\n")
		fakeGuest(t, "x").WaitReady()
	})
}

func TestAGuestThatRefusesSaysWhy(t *testing.T) {
	on(t, ends(matrix.Fail, matrix.LayerL2, "no disk"), func(t *T, h *hosttest.Host) {
		talks(h, func(l2.Request) *l2.Message { return &l2.Message{Error: "no disk"} })
		fakeGuest(t, "x").WaitReady()
	})
}

func TestAGuestThatComplainsFailsTheCheck(t *testing.T) {
	on(t, ends(matrix.Fail, matrix.LayerL2, "keep the console of L2 l2-x clean", "Bad page state"), func(t *T, h *hosttest.Host) {
		talks(h, says("x"))
		guestsPrint(h, "[ 1.0] BUG: Bad page state in process init\n")
		fakeGuest(t, "x").WaitReady()
	})
}

func TestAConsoleThatCannotBeOpenedIsTheStacks(t *testing.T) {
	on(t, ends(matrix.Fail, matrix.LayerManagement, "cannot open the console of the started guest", "no such file"), func(t *T, h *hosttest.Host) {
		h.OnDial = func(string) (net.Conn, error) {
			return nil, &ssh.OpenChannelError{Reason: ssh.ConnectionFailed, Message: "no such file"}
		}
		fakeGuest(t, "x").WaitReady()
	})
	// Without an answer of L1 nobody knows.
	on(t, infra("cannot open the console of the started guest"), func(t *T, _ *hosttest.Host) {
		fakeGuest(t, "x").WaitReady()
	})
}

func TestAGuestGoesOnFromItsMark(t *testing.T) {
	on(t, passes, func(t *T, h *hosttest.Host) {
		talks(h, says("x"))
		g := fakeGuest(t, "x")
		g.WaitReady()
		if after := g.ExpectGoesOn(g.Mark()); after.Count < 4 {
			t.Fail(matrix.LayerL2, "it is at %+v", after)
		}
	})
	from := func(m Mark) func(*T, *hosttest.Host) {
		return func(t *T, h *hosttest.Host) {
			talks(h, says("x"))
			g := fakeGuest(t, "x")
			g.WaitReady()
			g.ExpectGoesOn(m)
		}
	}
	on(t, ends(matrix.Fail, matrix.LayerL2, `kept "word" in its memory, and now has ""`), from(Mark{"word", l2.Tick{BootID: "b"}}))
	on(t, ends(matrix.Fail, matrix.LayerL2, "went back in time"), from(Mark{"", l2.Tick{BootID: "b", Count: 900}}))
	anew := from(Mark{"", l2.Tick{BootID: "a"}})
	on(t, ends(matrix.Fail, matrix.LayerL2, "its boot ID was a and is b"), anew)
	on(t, mayBeEmulator("the guest booted anew"), anew, emulated)
	on(t, ends(matrix.Fail, matrix.LayerL2, "booted anew"), anew, again)
}

func TestAGuestThatWasResetCannotDoWhatItCould(t *testing.T) {
	refuses := func(anew string) func(*T, *hosttest.Host) {
		return func(t *T, h *hosttest.Host) {
			boot := "b"
			talks(h, func(req l2.Request) *l2.Message {
				if req.Do == l2.DoHello {
					return tells(l2.Facts{Token: "x", BootID: boot})
				}
				boot = anew
				return &l2.Message{Error: "network is unreachable"}
			})
			g := fakeGuest(t, "x")
			g.WaitReady()
			g.Tick()
		}
	}
	on(t, mayBeEmulator("network is unreachable", "the guest booted anew"), refuses("a"), emulated)
	fails := ends(matrix.Fail, matrix.LayerL2, "network is unreachable")
	on(t, fails, refuses("b"), emulated)
	on(t, fails, refuses("a"), again)
	on(t, fails, refuses("a"))
}

func TestAPulseThatStopsFailsTheCheck(t *testing.T) {
	stopped := func(ran, waited time.Duration) func(*T, *hosttest.Host) {
		return func(t *T, h *hosttest.Host) {
			talks(h, func(req l2.Request) *l2.Message {
				time.Sleep(time.Second)
				h.Schedule(ran, waited)
				if req.Do == l2.DoHello {
					return tells(l2.Facts{Token: "x"})
				}
				return tells(l2.Tick{Count: 3})
			})
			g := fakeGuest(t, "x")
			g.WaitReady()
			g.ExpectTicks(l2.Tick{Count: 3})
		}
	}
	on(t, ends(matrix.Fail, matrix.LayerL2, "wait until the guest ticks on: not so after 1m"), stopped(time.Second, 0))
	on(t, infra("starved machine", "ticks on"), stopped(0, time.Second))
}
