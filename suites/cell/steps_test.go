package cell

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/virtmatrix/virtmatrix/fixtures/l2"
	"github.com/virtmatrix/virtmatrix/internal/agent"
	"github.com/virtmatrix/virtmatrix/internal/owner"
	"github.com/virtmatrix/virtmatrix/matrix"
	"golang.org/x/crypto/ssh"
	"libvirt.org/go/libvirt"
)

// on runs a body as the boot check of a fresh bench, in fake time.
func on(t *testing.T, check func(*bench), body func(ctx context.Context, t *T, h *fakeHost)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		rec, err := b.Answer(context.Background(), b.Plan.Checks[1], func(ctx context.Context, t *T) {
			body(ctx, t, b.booter.hosts[len(b.booter.hosts)-1])
		})
		if err != nil {
			t.Fatal(err)
		}
		b.journal.records = append(b.journal.records[:0], rec)
		check(b)
		b.Discard()
		synctest.Wait()
	})
}

func ends(v matrix.Verdict, layer matrix.Layer, words ...string) func(*bench) {
	return func(b *bench) { b.t.Helper(); b.wants(b.journal.records[0], v, layer, words...) }
}

// starve makes the host's emulator wait for a processor as time goes by.
func (h *fakeHost) starve() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sched = h.sched.Sub(owner.Sched{Ran: -time.Second, Waited: -time.Minute})
}

var (
	noDomain  = libvirt.Error{Code: libvirt.ERR_NO_DOMAIN, Domain: libvirt.FROM_QEMU, Message: "Domain not found"}
	connReset = libvirt.Error{Code: libvirt.ERR_SYSTEM_ERROR, Domain: libvirt.FROM_RPC, Message: "End of file while reading data: Input/output error"}
)

func TestALibvirtErrorIsTheAnswerOfACall(t *testing.T) {
	on(t, ends(matrix.Pass, ""), func(ctx context.Context, t *T, _ *fakeHost) {
		if err := t.Try(ctx, "look domain up", func() error { return noDomain }); Code(err) != libvirt.ERR_NO_DOMAIN {
			t.Fail(matrix.LayerManagement, "Try = %v", err)
		}
		t.Refuses(ctx, "look domain up", libvirt.ERR_NO_DOMAIN, func() error { return noDomain })
		t.Do(ctx, "nothing", func() error { return nil })
	})
	on(t, ends(matrix.Fail, matrix.LayerManagement, "cannot look domain up", "Domain not found"), func(ctx context.Context, t *T, _ *fakeHost) {
		t.Do(ctx, "look domain up", func() error { return noDomain })
	})
	on(t, ends(matrix.Fail, matrix.LayerManagement, "was refused with error 42, not 55"), func(ctx context.Context, t *T, _ *fakeHost) {
		t.Refuses(ctx, "start domain", libvirt.ERR_OPERATION_INVALID, func() error { return noDomain })
	})
	on(t, ends(matrix.Fail, matrix.LayerManagement, "succeeded, but must be refused"), func(ctx context.Context, t *T, _ *fakeHost) {
		t.Refuses(ctx, "start domain", libvirt.ERR_OPERATION_INVALID, func() error { return nil })
	})
}

func TestAConnectionThatBrokeIsExplained(t *testing.T) {
	lost := func(answer string, code int) func(context.Context, *T, *fakeHost) {
		return func(ctx context.Context, t *T, h *fakeHost) {
			h.exec = func(_ context.Context, command string) (agent.Result, error) {
				if strings.HasPrefix(command, "pidof libvirtd") {
					return agent.Result{Stdout: []byte(answer), Code: code}, nil
				}
				return agent.Result{}, nil
			}
			t.Do(ctx, "start domain", func() error { return connReset })
		}
	}
	on(t, ends(matrix.Infra, matrix.LayerHarness, "still running", "End of file"), lost("812\n", 0))
	on(t, ends(matrix.Fail, matrix.LayerManagement, "libvirtd is not running", "ended: signal: segmentation fault"), lost("libvirtd: ended: signal: segmentation fault\n", 0))
	on(t, ends(matrix.Fail, matrix.LayerKernel, "Kernel panic"), func(ctx context.Context, t *T, h *fakeHost) {
		t.Do(ctx, "start domain", func() error { h.die(panicked); return connReset })
	})
}

func TestACallThatHangsIsGivenUp(t *testing.T) {
	hang := func(starving bool) func(context.Context, *T, *fakeHost) {
		return func(ctx context.Context, t *T, h *fakeHost) {
			if t.attempt > 1 {
				return
			}
			t.Do(ctx, "start domain", func() error {
				if starving {
					h.starve()
				} else {
					h.schedules(callLimit, 0)
				}
				<-h.gone
				return connReset
			})
		}
	}
	on(t, ends(matrix.Fail, matrix.LayerManagement, "start domain: libvirt did not answer within 3m0s"), hang(false))
	on(t, func(b *bench) {
		rec := b.journal.records[0]
		b.wants(rec, matrix.Pass, "")
		if rec.Attempts != 2 || !strings.Contains(rec.Notes[0], "starved machine") {
			b.t.Errorf("%d attempts, notes %q", rec.Attempts, rec.Notes)
		}
	}, hang(true))
}

func TestACallOfACheckThatIsOverIsOurs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan struct{})
		rec := b.answer(ctx, "IK-BOOT", func(ctx context.Context, t *T) {
			t.Do(ctx, "start domain", func() error { cancel(); <-ended; return nil })
		})
		b.wants(rec, matrix.Infra, matrix.LayerHarness, "cannot start domain: context canceled")
		close(ended)
	})
}

func TestAStopWithinACallEndsTheAttempt(t *testing.T) {
	on(t, ends(matrix.Fail, matrix.LayerL2, "from within"), func(ctx context.Context, t *T, _ *fakeHost) {
		t.Do(ctx, "start domain", func() error { t.Fail(matrix.LayerL2, "from within"); return nil })
	})
	on(t, ends(matrix.Infra, matrix.LayerHarness, "the harness panicked", "steps_test.go"), func(ctx context.Context, t *T, _ *fakeHost) {
		var none *Domain
		t.Do(ctx, "start domain", func() error { none.Name = "x"; return nil })
	})
}

func TestConnectionsAreNotClosedUnderACall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &links{more: []*libvirt.Connect{nil}} // to close it would panic
		l.calls.Add(1)
		l.close()
		synctest.Wait()
		l.more = nil
		l.calls.Done()
	})
}

func TestUntil(t *testing.T) {
	on(t, ends(matrix.Pass, ""), func(ctx context.Context, t *T, _ *fakeHost) {
		n := 0
		t.Until(ctx, time.Minute, "three times asked", func() bool { n++; return n == 3 })
	})
	on(t, ends(matrix.Fail, matrix.LayerManagement, "wait until the sun rises: not so after 1m0s"), func(ctx context.Context, t *T, h *fakeHost) {
		t.Until(ctx, time.Minute, "the sun rises", func() bool { h.schedules(100*time.Millisecond, 0); return false })
	})
	on(t, ends(matrix.Infra, matrix.LayerHarness, "starved machine", "the sun rises"), func(ctx context.Context, t *T, h *fakeHost) {
		t.Until(ctx, time.Minute, "the sun rises", func() bool { h.starve(); return false })
	})
	// What the machine took is given back, once.
	on(t, ends(matrix.Pass, ""), func(ctx context.Context, t *T, h *fakeHost) {
		start := time.Now()
		h.mu.Lock()
		h.sched.Waited += 30 * time.Second
		h.mu.Unlock()
		t.Until(ctx, time.Minute, "the sun rises", func() bool {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.sched.Waited += 50 * time.Millisecond
			h.sched.Ran += 100 * time.Millisecond
			return time.Since(start) > 80*time.Second
		})
	})
	on(t, ends(matrix.Fail, matrix.LayerKernel, "Kernel panic"), func(ctx context.Context, t *T, h *fakeHost) {
		start := time.Now()
		defer func() {
			if time.Since(start) > time.Second {
				t.must(errors.New("a dead host was waited for"), "test")
			}
		}()
		t.Until(ctx, time.Minute, "the sun rises", func() bool { h.die(panicked); return false })
	})
}

// talks makes the host's guest answer: a hello with a token, and ticks.
func (h *fakeHost) talks(token string, silent bool) {
	h.dial = func(string) (net.Conn, error) {
		l0, guest := net.Pipe()
		go func() { <-h.gone; guest.Close() }() // as all wires into L1
		go func() {
			defer guest.Close()
			for in := bufio.NewScanner(guest); in.Scan(); {
				var req l2.Request
				if json.Unmarshal(in.Bytes(), &req) != nil || silent {
					continue
				}
				var value any = l2.Facts{Token: token, Kernel: "6.1"}
				if req.Do == l2.DoTick {
					value = l2.Tick{Count: 3, BootID: "b"}
				}
				b, _ := json.Marshal(value)
				b, _ = json.Marshal(l2.Message{Re: req.ID, Value: b})
				fmt.Fprintf(guest, "\n%s%s\n", l2.Prefix, b)
			}
		}()
		return l0, nil
	}
}

func (t *T) fakeGuest(token string) *Guest {
	d := &Domain{t: t, Name: "l2-x", Token: token}
	return t.watchGuest(d)
}

func TestAGuestProvesThatItIsTheOneThatWasStarted(t *testing.T) {
	on(t, func(b *bench) {
		rec := b.journal.records[0]
		b.wants(rec, matrix.Pass, "")
		if len(rec.Said) != 1 || !strings.Contains(rec.Said[0], `"token":"right"`) {
			b.t.Errorf("the guest's words in the journal: %q", rec.Said)
		}
	}, func(ctx context.Context, t *T, h *fakeHost) {
		h.talks("right", false)
		g := t.fakeGuest("right")
		g.Meets(ctx)
		if tick := g.Tick(ctx); tick.Count != 3 {
			t.Fail(matrix.LayerL2, "tick %+v", tick)
		}
	})
	on(t, ends(matrix.Fail, matrix.LayerL2, `its token is "wrong", but "right" was started`), func(ctx context.Context, t *T, h *fakeHost) {
		h.talks("wrong", false)
		t.fakeGuest("right").Meets(ctx)
	})
}

func TestASilentGuestIsHungUnlessItsHostStarved(t *testing.T) {
	silent := func(starving bool) func(context.Context, *T, *fakeHost) {
		return func(ctx context.Context, t *T, h *fakeHost) {
			h.talks("x", true)
			h.exec = func(_ context.Context, command string) (agent.Result, error) {
				if strings.HasPrefix(command, "tail -c") {
					return agent.Result{Stdout: []byte("[ 1.0] last words of L2\n")}, nil
				}
				return agent.Result{}, nil
			}
			if starving {
				time.AfterFunc(time.Minute, h.starve)
			}
			t.fakeGuest("x").Meets(ctx)
		}
	}
	on(t, ends(matrix.Fail, matrix.LayerL2, "ask guest to say hello", "the guest does not answer", "last words of L2"), silent(false))
	on(t, ends(matrix.Infra, matrix.LayerHarness, "starved machine", "last words of L2"), silent(true))
}

func TestAGuestThatComplainsFailsTheCheck(t *testing.T) {
	on(t, ends(matrix.Fail, matrix.LayerL2, "keep the console of L2 l2-x clean", "Bad page state"), func(ctx context.Context, t *T, h *fakeHost) {
		h.talks("x", false)
		h.exec = func(_ context.Context, command string) (agent.Result, error) {
			if strings.Contains(command, "l2-x.console") && strings.HasPrefix(command, "tail -c") {
				return agent.Result{Stdout: []byte("[ 1.0] BUG: Bad page state in process init\n")}, nil
			}
			return agent.Result{}, nil
		}
		t.fakeGuest("x").Meets(ctx)
	})
}

func TestAConsoleThatCannotBeOpenedIsTheStacks(t *testing.T) {
	on(t, ends(matrix.Fail, matrix.LayerManagement, "cannot open the console of the started guest", "no such file"), func(ctx context.Context, t *T, h *fakeHost) {
		h.dial = func(string) (net.Conn, error) {
			return nil, &ssh.OpenChannelError{Reason: ssh.ConnectionFailed, Message: "no such file"}
		}
		t.fakeGuest("x").Meets(ctx)
	})
	// Without an answer of L1 nobody knows.
	on(t, ends(matrix.Infra, matrix.LayerHarness, "cannot open the console of the started guest"), func(ctx context.Context, t *T, _ *fakeHost) {
		t.fakeGuest("x").Meets(ctx)
	})
}

func TestUnanswered(t *testing.T) {
	for name, tc := range map[string]struct {
		err  error
		want bool
	}{
		"refusal":            {noDomain, false},
		"connection reset":   {connReset, true},
		"no connection":      {libvirt.Error{Code: libvirt.ERR_NO_CONNECT, Domain: libvirt.FROM_THREAD}, true},
		"internal of driver": {libvirt.Error{Code: libvirt.ERR_INTERNAL_ERROR, Domain: libvirt.FROM_QEMU}, false},
		"internal of RPC":    {libvirt.Error{Code: libvirt.ERR_INTERNAL_ERROR, Domain: libvirt.FROM_RPC}, true},
		"no word of libvirt": {errors.New("dlopen"), true},
	} {
		if got := unanswered(tc.err); got != tc.want {
			t.Errorf("%s: unanswered = %v", name, got)
		}
	}
}

func TestAllowancesCompile(t *testing.T) {
	if _, err := Allowances(); err != nil {
		t.Error(err)
	}
}
