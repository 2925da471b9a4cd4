package steps

import (
	"context"
	"time"

	"github.com/virtmatrix/virtmatrix/matrix"
	"libvirt.org/go/libvirt"
)

// Pending is a call to libvirt under way, while the check goes on.
type Pending struct {
	t     *T
	op    string
	limit time.Duration
	done  chan struct{}
	err   error
}

// Begin makes a call to libvirt and does not wait for its answer. The limit, at scale
// 1, is for who waits later.
func (t *T) Begin(limit time.Duration, op string, call func() error) *Pending {
	p := &Pending{t: t, op: op, limit: limit, done: make(chan struct{})}
	calls := &t.s.calls
	calls.Add(1)
	go func() {
		defer calls.Done()
		defer close(p.done)
		p.err = call()
	}()
	return p
}

// Over says that the call was answered.
func (p *Pending) Over() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// End waits for the answer and returns libvirt's error, as it is: a check that ends
// daemons knows what to make of it.
func (p *Pending) End() error {
	return p.t.await(patience{op: p.op, limit: p.limit, layer: matrix.LayerManagement, who: "libvirt"},
		func(context.Context) error { return p.answer() })
}

// Succeeds waits for the answer, which must be no error.
func (p *Pending) Succeeds() { p.t.doWithin(p.limit, p.op, p.answer) }

func (p *Pending) answer() error {
	<-p.done
	return p.err
}

// FailsWith waits for the answer, which must be an error of one of the codes.
func (p *Pending) FailsWith(codes ...libvirt.ErrorNumber) {
	err := p.End()
	if err == nil {
		p.t.Fail(matrix.LayerManagement, "%s succeeded, and what it needs had ended", p.op)
	}
	for _, c := range codes {
		if Code(err) == c {
			return
		}
	}
	p.t.Fail(matrix.LayerManagement, "%s failed with %s, not with %s: %s", p.op, named(Code(err)), namedAll(codes), Text(err))
}

func namedAll(codes []libvirt.ErrorNumber) (words string) {
	for i, c := range codes {
		if i > 0 {
			words += " or "
		}
		words += named(c)
	}
	return words
}

// promptLimit bounds a call that only looks while a long job runs, at scale 1: a
// client asks each of many guests so, one after another.
const promptLimit = 5 * time.Second

// Promptly makes a libvirt call that must succeed, and at once.
func (t *T) Promptly(op string, call func() error) { t.doWithin(promptLimit, op, call) }
