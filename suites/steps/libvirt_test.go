package steps

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/agent"
	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/internal/hosttest"
	"github.com/virtmatrix/virtmatrix/internal/layout"
	"github.com/virtmatrix/virtmatrix/matrix"
	"libvirt.org/go/libvirt"
)

var (
	noDomain  = libvirt.Error{Code: libvirt.ERR_NO_DOMAIN, Domain: libvirt.FROM_QEMU, Message: "Domain not found"}
	connReset = libvirt.Error{Code: libvirt.ERR_SYSTEM_ERROR, Domain: libvirt.FROM_RPC, Message: "End of file while reading data: Input/output error"}
)

func TestALibvirtErrorIsTheAnswerOfACall(t *testing.T) {
	on(t, passes, func(t *T, _ *hosttest.Host) {
		if err := t.Try("look domain up", func() error { return noDomain }); Code(err) != libvirt.ERR_NO_DOMAIN {
			t.Fail(matrix.LayerManagement, "Try = %v", err)
		}
		t.Refuses("look domain up", libvirt.ERR_NO_DOMAIN, func() error { return noDomain })
		t.Do("nothing", func() error { return nil })
		if got := Get(t, "count", func() (int, error) { return 3, nil }); got != 3 {
			t.Fail(matrix.LayerManagement, "Get = %d", got)
		}
	})
	on(t, ends(matrix.Fail, matrix.LayerManagement, "cannot look domain up", "Domain not found"), func(t *T, _ *hosttest.Host) {
		t.Do("look domain up", func() error { return noDomain })
	})
	on(t, ends(matrix.Fail, matrix.LayerManagement, "was refused with ERR_NO_DOMAIN (42), not ERR_OPERATION_INVALID (55)"), func(t *T, _ *hosttest.Host) {
		t.Refuses("start domain", libvirt.ERR_OPERATION_INVALID, func() error { return noDomain })
	})
	on(t, ends(matrix.Fail, matrix.LayerManagement, "succeeded, but must be refused"), func(t *T, _ *hosttest.Host) {
		t.Refuses("start domain", libvirt.ERR_OPERATION_INVALID, func() error { return nil })
	})
}

// daemonSays has the host answer the question whether libvirtd runs.
func daemonSays(h *hosttest.Host, answer string) {
	h.OnExec = func(_ context.Context, command string) (agent.Result, error) {
		if strings.HasPrefix(command, "pidof libvirtd") {
			return agent.Result{Stdout: []byte(answer)}, nil
		}
		return agent.Result{}, nil
	}
}

func TestAStreamThatCannotBeOpenedIsAnAnswer(t *testing.T) {
	refused := libvirt.Error{Code: libvirt.ERR_SYSTEM_ERROR, Domain: libvirt.FROM_STREAMS, Message: "Unable to open stream for '/v': Permission denied"}
	on(t, ends(matrix.Fail, matrix.LayerManagement, "upload", "Permission denied"), func(t *T, _ *hosttest.Host) {
		t.Do("upload", func() error { return refused })
	})
}

func TestAConnectionThatBrokeIsExplained(t *testing.T) {
	lost := func(answer string) func(*T, *hosttest.Host) {
		return func(t *T, h *hosttest.Host) {
			daemonSays(h, answer)
			t.Do("start domain", func() error { return connReset })
		}
	}
	on(t, infra("still running", "End of file"), lost("812\n"))
	ended := func(by ...host.Side) func(*bench) {
		return func(b *bench) {
			b.session.forwards = []string{"/forwarded"}
			for i, side := range by {
				b.host.Ends = append(b.host.Ends, host.HangUp{Socket: "/run/libvirt/libvirt-sock", By: side, Time: time.Now().Add(time.Duration(i))})
			}
		}
	}
	on(t, ends(matrix.Fail, matrix.LayerManagement, "libvirtd, which is still running, ended the connection", "End of file"), lost("812\n"), ended(host.ByClient, host.ByDaemon))
	on(t, infra("still running"), lost("812\n"), ended(host.ByDaemon, host.ByClient))
	on(t, ends(matrix.Fail, matrix.LayerManagement, "libvirtd is not running", "ended: signal: segmentation fault"), lost("libvirtd: ended: signal: segmentation fault\n"))
	on(t, ends(matrix.Fail, matrix.LayerKernel, "Kernel panic"), func(t *T, h *hosttest.Host) {
		t.Do("start domain", func() error { h.Die(hosttest.Panicked); return connReset })
	})
}

func TestTheDaemonThatIsAskedForIsTheHosts(t *testing.T) {
	split := []layout.Daemon{{Name: "virtqemud", Socket: "/run/q", ReadOnly: "/run/q-ro"}}
	on(t, ends(matrix.Fail, matrix.LayerManagement, "virtqemud is not running"), func(t *T, h *hosttest.Host) {
		h.Places.Daemons = split
		h.OnExec = func(_ context.Context, command string) (agent.Result, error) {
			if !strings.HasPrefix(command, "pidof virtqemud ||") || !strings.HasSuffix(command, agent.ServiceLog("virtqemud")) {
				return agent.Result{Stdout: []byte("1\n")}, nil
			}
			return agent.Result{Stdout: []byte("virtqemud: ended\n")}, nil
		}
		t.Do("start domain", func() error { return connReset })
	})
	// Not in fake time, because libvirt's event loop ends with the process.
	for want, open := range map[string]func(*T) *Connection{"/run/q": (*T).NewConnection, "/run/q-ro": (*T).ReaderSocket} {
		b := newBench(t)
		b.host.Places.Daemons = split
		b.host.OnForward = func(remote string) (string, error) { return "", errors.New("no way to " + remote) }
		infra("no way to "+want)(b, b.attempt(func(t *T, _ *hosttest.Host) { open(t) }))
	}
}

// modularHost gives the host a daemon for each of two drivers, of which some run.
func modularHost(h *hosttest.Host, running ...string) {
	h.Places.Daemons = []layout.Daemon{{Name: "virtnetworkd"}, {Name: "virtqemud"}}
	h.OnExec = func(_ context.Context, command string) (agent.Result, error) {
		for _, name := range running {
			if strings.HasPrefix(command, "pidof "+name+" ||") {
				return agent.Result{Stdout: []byte("1\n")}, nil
			}
		}
		return agent.Result{Stdout: []byte("its log\n")}, nil
	}
}

func TestWhatTheDaemonsOfDriversSayOfEachOtherIsTold(t *testing.T) {
	// virtqemud answers that it does not reach virtnetworkd: the connection to it is whole.
	unreached := libvirt.Error{Code: libvirt.ERR_SYSTEM_ERROR, Domain: libvirt.FROM_RPC, Message: "Failed to connect socket to '/var/run/libvirt/virtnetworkd-sock': No such file or directory"}
	on(t, passes, func(t *T, h *hosttest.Host) {
		modularHost(h, "virtqemud")
		t.Refuses("list networks", libvirt.ERR_SYSTEM_ERROR, func() error { return unreached })
	})
	on(t, ends(matrix.Fail, matrix.LayerManagement, "virtnetworkd is not running"), func(t *T, h *hosttest.Host) {
		modularHost(h, "virtqemud")
		t.Do("list networks", func() error { return connReset })
	})
	on(t, infra("the connection to virtqemud broke"), func(t *T, h *hosttest.Host) {
		modularHost(h, "virtqemud", "virtnetworkd")
		t.Do("list networks", func() error { return connReset })
	})
}

func TestLibvirtIsStartedAnewWithAllItsDaemons(t *testing.T) {
	var asked []string
	b := newBench(t)
	err := b.attempt(func(t *T, h *hosttest.Host) {
		h.OnForward = func(string) (string, error) { return "", errors.New("no further") }
		modularHost(h)
		answers := h.OnExec
		h.OnExec = func(ctx context.Context, command string) (agent.Result, error) {
			asked = append(asked, command)
			return answers(ctx, command)
		}
		t.RestartLibvirt(syscall.SIGTERM)
	})
	infra("no further")(b, err)
	if want := []string{"restart virtnetworkd by terminated", "restart virtqemud by terminated"}; !slices.Equal(asked, want) {
		t.Errorf("asked for %q, want %q", asked, want)
	}
}

func TestWhatTheHostsImageLacksIsOurs(t *testing.T) {
	on(t, infra("image bare has no program qemu-img"), func(t *T, h *hosttest.Host) {
		h.Places = layout.Manifest{Image: "bare"}
		t.Program(layout.QEMUImg)
	})
	on(t, infra("image bare has no daemon libvirtd or virtqemud"), func(t *T, h *hosttest.Host) {
		h.Places = layout.Manifest{Image: "bare"}
		t.Connection()
	})
}

func TestACallThatHangsIsGivenUp(t *testing.T) {
	hang := func(starving bool) func(*T, *hosttest.Host) {
		return func(t *T, h *hosttest.Host) {
			t.Do("start domain", func() error {
				if starving {
					h.Starve()
				} else {
					h.Schedule(callLimit, 0)
				}
				<-h.Gone()
				return connReset
			})
		}
	}
	on(t, ends(matrix.Fail, matrix.LayerManagement, "start domain: libvirt did not answer within 3m0s"), hang(false))
	on(t, infra("starved machine", "start domain"), hang(true))
}

func TestAnAnswerThatComesAfterTheMachineStoodStillCounts(t *testing.T) {
	late := func(ran time.Duration) func(*T, *hosttest.Host) {
		return func(t *T, h *hosttest.Host) {
			t.Do("start domain", func() error {
				time.Sleep(callLimit / 2)
				h.Schedule(ran, 0)
				time.Sleep(callLimit)
				return nil
			})
		}
	}
	on(t, passes, late(0))
	on(t, func(b *bench, err error) {
		ends(matrix.Fail, matrix.LayerManagement, "did not answer")(b, err)
		time.Sleep(callLimit) // for the call that nobody waits for any more
	}, late(callLimit))
}

func TestACallOfACheckThatIsOverIsOurs(t *testing.T) {
	var off context.CancelFunc
	on(t, infra("cannot start domain: context canceled"), func(t *T, h *hosttest.Host) {
		t.Do("start domain", func() error { off(); <-h.Gone(); return nil })
	}, calledOff(&off))
}

func TestAStopWithinACallEndsTheAttempt(t *testing.T) {
	on(t, ends(matrix.Fail, matrix.LayerL2, "from within"), func(t *T, _ *hosttest.Host) {
		t.Do("start domain", func() error { t.Fail(matrix.LayerL2, "from within"); return nil })
	})
	on(t, infra("the harness panicked", "libvirt_test.go"), func(t *T, _ *hosttest.Host) {
		var none *Domain
		t.Do("start domain", func() error { none.Name = "x"; return nil })
	})
}

// testDriver opens libvirt's driver for tests, which needs no daemon.
func testDriver(t *testing.T) *libvirt.Connect {
	t.Helper()
	conn, err := libvirt.NewConnect("test:///default")
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

func TestConnectionsAreNotClosedUnderACall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSession(hosttest.New(t, t.TempDir()))
		conn := testDriver(t)
		s.conn = conn
		s.calls.Add(1)
		_ = s.Close()
		synctest.Wait()
		if alive, err := conn.IsAlive(); !alive {
			t.Errorf("the connection was closed: %v", err)
		}
		s.calls.Done()
		synctest.Wait()
		if alive, _ := conn.IsAlive(); alive {
			t.Error("the connection is left open when the call is over")
		}
	})
}

func TestWhatTheClientOnL0LacksIsNoAnswer(t *testing.T) {
	lacks := libvirt.Error{Code: libvirt.ERR_INTERNAL_ERROR, Domain: libvirt.FROM_NONE, Message: "/lib/libvirt.so.0: undefined symbol: virDomainFDAssociate"}
	on(t, infra("client library on L0", "lacks virDomainFDAssociate"), func(t *T, _ *hosttest.Host) {
		t.Refuses("associate files", libvirt.ERR_INTERNAL_ERROR, func() error { return lacks })
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

func TestACallThatXenLacksMustSaySo(t *testing.T) {
	lacks := libvirt.Error{Code: libvirt.ERR_NO_SUPPORT, Domain: libvirt.FROM_LIBXL}
	xen := func(b *bench) { b.Cell.Kind = matrix.Xen }
	asked := func(over *bool, answer error) func(*T, *hosttest.Host) {
		return func(t *T, _ *hosttest.Host) {
			*over = t.LacksOnXen("reset domain", func() error { return answer })
		}
	}
	var over bool
	if on(t, passes, asked(&over, lacks), xen); !over {
		t.Error("the check goes on without the call")
	}
	if on(t, passes, asked(&over, lacks)); over {
		t.Error("the check is over on KVM")
	}
	on(t, ends(matrix.Fail, matrix.LayerManagement, "reset domain on Xen succeeded"), asked(&over, nil), xen)
}

// blockedBy wants an attempt that another check answers for.
func blockedBy(b *bench, err error, check string) {
	b.t.Helper()
	var unmet *fault.Unmet
	if !errors.As(err, &unmet) || unmet.Check != check {
		b.t.Errorf("%v; want it blocked by %s", err, check)
	}
}

// nowhere has the socket of a daemon lead nowhere, while the host says what came of it.
func nowhere(b *bench, daemon string) {
	b.host.OnForward = func(string) (string, error) { return filepath.Join(b.t.TempDir(), "no-socket"), nil }
	daemonSays(b.host, daemon)
}

const daemonEnded = "libvirtd: ended: exit status 1\n"

// TestACheckWithoutAConnectionIsBlocked: not in fake time, because libvirt's event loop
// ends with the process.
func TestACheckWithoutAConnectionIsBlocked(t *testing.T) {
	connects := func(check, daemon string, body func(*T)) (*bench, error) {
		b := newBench(t)
		b.Check = check
		nowhere(b, daemon)
		return b, b.attempt(func(t *T, _ *hosttest.Host) { body(t) })
	}
	for _, body := range []func(*T){
		func(t *T) { t.Connection() },
		func(t *T) { t.Define() },
		func(t *T) { t.Guest() }, // it is not O-START that answers for this
	} {
		b, err := connects("O-SAVE", daemonEnded, body)
		ends(matrix.Blocked, matrix.LayerManagement, "requires a connection to libvirt, and none could be had", "libvirtd is not running")(b, err)
		blockedBy(b, err, "O-CONN")
	}
	b, err := connects("O-CONN", daemonEnded, func(t *T) { t.Connection() })
	ends(matrix.Fail, matrix.LayerManagement, "libvirtd is not running")(b, err)
	b, err = connects("O-SAVE", "812\n", func(t *T) { t.Connection() })
	infra("still running")(b, err)
}

func TestADaemonThatDoesNotComeBackFailsTheCheckThatRestartsIt(t *testing.T) {
	b := newBench(t)
	nowhere(b, daemonEnded)
	err := b.attempt(func(t *T, _ *hosttest.Host) { t.RestartLibvirt(syscall.SIGTERM) })
	ends(matrix.Fail, matrix.LayerManagement, "libvirtd is not running")(b, err)
	on(t, ends(matrix.Fail, matrix.LayerManagement, "restart libvirtd: the daemon did not answer within 3m0s"), func(t *T, h *hosttest.Host) {
		h.OnExec = func(ctx context.Context, command string) (agent.Result, error) {
			if strings.HasPrefix(command, "restart libvirtd") {
				h.Schedule(callLimit, 0)
				<-ctx.Done()
			}
			return agent.Result{}, context.Cause(ctx)
		}
		t.RestartLibvirt(syscall.SIGTERM)
	})
}
