package steps

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"

	"github.com/virtmatrix/virtmatrix/internal/hosttest"
	"github.com/virtmatrix/virtmatrix/internal/xenstore"
	"github.com/virtmatrix/virtmatrix/matrix"
	"golang.org/x/crypto/ssh"
)

// What xenstored says on the wire, of xs_wire.h.
const (
	xsWatch, xsWatchEvent, xsError = 4, 15, 16
)

type xsHeader struct{ Type, ReqID, TxID, Len uint32 }

// xenstored has a host answer requests, as serve does on the wire.
func xenstored(h *hosttest.Host, serve func(w io.Writer, req xsHeader)) {
	h.OnDial = func(string) (net.Conn, error) {
		l0, daemon := net.Pipe()
		go func() { <-h.Gone(); daemon.Close() }()
		go func() {
			defer daemon.Close()
			for {
				var req xsHeader
				if binary.Read(daemon, binary.LittleEndian, &req) != nil {
					return
				}
				if _, err := io.CopyN(io.Discard, daemon, int64(req.Len)); err != nil || serve == nil {
					return
				}
				serve(daemon, req)
			}
		}()
		return l0, nil
	}
}

func xsSays(w io.Writer, kind, id uint32, text string) {
	b, _ := binary.Append(nil, binary.LittleEndian, xsHeader{Type: kind, ReqID: id, Len: uint32(len(text))})
	_, _ = w.Write(append(b, text...))
}

// reads has a check read a value of xenstored.
func reads(serve func(io.Writer, xsHeader)) func(*T, *hosttest.Host) {
	return func(t *T, h *hosttest.Host) {
		xenstored(h, serve)
		if got := t.Xenstore().Read(0, "/x"); got != "value" {
			t.Fail(matrix.LayerManagement, "Read = %q", got)
		}
	}
}

func TestWhatXenstoredAnswersIsTheProducts(t *testing.T) {
	on(t, passes, reads(func(w io.Writer, req xsHeader) { xsSays(w, req.Type, req.ReqID, "value") }))
	refuses := func(w io.Writer, req xsHeader) { xsSays(w, xsError, req.ReqID, "ENOENT\x00") }
	on(t, ends(matrix.Fail, matrix.LayerManagement, "xenstored refuses to read /x", "ENOENT"), reads(refuses))
	on(t, passes, func(t *T, h *hosttest.Host) {
		xenstored(h, refuses)
		err := t.Xenstore().Try("read /x", func(ctx context.Context, c *xenstore.Conn) error { _, err := c.Read(ctx, 0, "/x"); return err })
		if !errors.Is(err, xenstore.ErrNoEntry) {
			t.Fail(matrix.LayerManagement, "Try = %v", err)
		}
	})
	on(t, ends(matrix.Fail, matrix.LayerManagement, "cannot connect to xenstored", "no such file"), func(t *T, h *hosttest.Host) {
		h.OnDial = func(string) (net.Conn, error) {
			return nil, &ssh.OpenChannelError{Reason: ssh.ConnectionFailed, Message: "no such file"}
		}
		t.Xenstore()
	})
}

func TestAWireToXenstoredThatBreaksIsNoAnswer(t *testing.T) {
	on(t, infra("cannot read /x"), reads(nil))
	on(t, infra("cannot connect to xenstored"), func(t *T, _ *hosttest.Host) { t.Xenstore() })
	on(t, ends(matrix.Fail, matrix.LayerKernel, "Kernel panic"), func(t *T, h *hosttest.Host) {
		reads(func(w io.Writer, _ xsHeader) { h.Die(hosttest.Panicked); w.(net.Conn).Close() })(t, h)
	})
}

func TestAXenstoredThatHangsIsTheProducts(t *testing.T) {
	on(t, ends(matrix.Fail, matrix.LayerManagement, "read /x: xenstored did not answer within 1m0s"), func(t *T, h *hosttest.Host) {
		reads(func(io.Writer, xsHeader) { h.Schedule(xenstoreLimit, 0) })(t, h)
	})
	on(t, infra("starved machine", "read /x"), func(t *T, h *hosttest.Host) {
		reads(func(io.Writer, xsHeader) { h.Starve() })(t, h)
	})
}

func TestAWatchThatFires(t *testing.T) {
	watches := func(fires bool) func(*T, *hosttest.Host) {
		return func(t *T, h *hosttest.Host) {
			h.Schedule(xenstoreLimit, 0)
			xenstored(h, func(w io.Writer, req xsHeader) {
				h.Schedule(xenstoreLimit, 0)
				xsSays(w, xsWatch, req.ReqID, "OK\x00")
				if fires {
					xsSays(w, xsWatchEvent, 0, "/x\x00token\x00")
				}
			})
			x := t.Xenstore()
			x.Watch("/x", "token")
			if e := x.Fired(); e.Path != "/x" || e.Token != "token" {
				t.Fail(matrix.LayerManagement, "it fired %+v", e)
			}
		}
	}
	on(t, passes, watches(true))
	on(t, ends(matrix.Fail, matrix.LayerManagement, "wait until the watch fires"), watches(false))
}
