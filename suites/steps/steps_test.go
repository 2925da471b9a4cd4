package steps

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/hosttest"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// bench is an attempt of a check on a fake host.
type bench struct {
	Env
	t        *testing.T
	ctx      context.Context
	host     *hosttest.Host
	session  *Session
	T        *T
	evidence string
}

// newBench has real processors under its host: nothing that it does is excused.
func newBench(t *testing.T) *bench {
	b := &bench{t: t, ctx: t.Context(), host: hosttest.New(t, t.TempDir()), evidence: t.TempDir(), Env: Env{
		Cell: &matrix.Cell{
			ID: "kvm_linux-6.1_qemu-7.2_libvirt-9.0", Kind: matrix.KVM, Tier: matrix.Nested,
			Stack: []matrix.Choice{
				{Component: matrix.Linux, Version: "6.1", Package: "6.1.158-1"},
				{Component: matrix.QEMU, Version: "7.2", Package: "1:7.2+dfsg-7"},
			},
		},
		Check: "O-SAVE", Layer: matrix.LayerManagement, Attempt: 1, Accel: "kvm", Scale: 1,
		Kernel: func() (string, error) { return "6.1.0-fake", nil },
	}}
	b.session = NewSession(b.host)
	return b
}

// attempt runs a body, and undoes what it did if it held.
func (b *bench) attempt(body func(*T, *hosttest.Host)) error {
	b.T = New(b.ctx, b.Env, b.session)
	err := b.T.Attempt(func(t *T) { body(t, b.host) })
	if err == nil {
		err = b.T.WayBack()
	}
	return err
}

// verdict is what an attempt must come to.
type verdict func(*bench, error)

// ends wants a verdict in a layer, for a reason with words.
func ends(want matrix.Verdict, layer matrix.Layer, words ...string) verdict {
	return func(b *bench, err error) {
		b.t.Helper()
		if v, at := fault.Classify(err); v != want || at != layer {
			b.t.Errorf("%s in %q: %v; want %s in %q", v, at, err, want, layer)
		}
		for _, w := range words {
			if err == nil || !strings.Contains(err.Error(), w) {
				b.t.Errorf("the reason does not say %q:\n%v", w, err)
			}
		}
	}
}

var (
	passes = ends(matrix.Pass, "")
	infra  = func(words ...string) verdict { return ends(matrix.Infra, matrix.LayerHarness, words...) }
)

// mayBeEmulator wants our own fault that a second attempt is to tell from the product's.
func mayBeEmulator(words ...string) verdict {
	return func(b *bench, err error) {
		b.t.Helper()
		infra(words...)(b, err)
		if !errors.Is(err, ErrEmulator) {
			b.t.Errorf("%v; want one that counts as a stall", err)
		}
	}
}

// on runs a body as an attempt on a fresh host, in fake time.
func on(t *testing.T, want verdict, body func(*T, *hosttest.Host), with ...func(*bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		for _, f := range with {
			f(b)
		}
		want(b, b.attempt(body))
		_ = b.session.Close()
		synctest.Wait()
	})
}

// emulated has the host's processors emulated, contained makes it a container, and
// again says that an attempt before came to what may be the emulator's doing.
func emulated(b *bench)  { b.Accel = "tcg" }
func contained(b *bench) { b.Cell.Tier = matrix.Container }
func again(b *bench)     { b.Accel, b.Stalled = "tcg", true }

// calledOff has the attempt end with a context that off ends.
func calledOff(off *context.CancelFunc) func(*bench) {
	return func(b *bench) { b.ctx, *off = context.WithCancel(b.ctx) }
}

// keeps returns a file of the attempt's evidence.
func (b *bench) keeps(name string) string {
	b.t.Helper()
	b.T.Evidence(b.ctx, b.evidence)
	text, err := os.ReadFile(filepath.Join(b.evidence, name))
	if err != nil {
		b.t.Error(err)
	}
	return string(text)
}
