package steps

import (
	"errors"
	"testing"

	"github.com/virtmatrix/virtmatrix/internal/hosttest"
	"github.com/virtmatrix/virtmatrix/matrix"
	"libvirt.org/go/libvirt"
)

// times is a turn that is told err from the n-th on.
func times(n int, err error) func(int) error {
	return func(i int) error {
		if i >= n {
			return err
		}
		return nil
	}
}

func TestClientsMayBeRefusedInARaceWhatTheyMayBe(t *testing.T) {
	busy := libvirt.Error{Code: libvirt.ERR_OPERATION_INVALID, Domain: libvirt.FROM_QEMU, Message: "it runs"}
	on(t, passes, func(t *T, _ *hosttest.Host) {
		first, second := NewRacer("start it", times(2, busy), libvirt.ERR_OPERATION_INVALID), NewRacer("stop it", times(9, nil))
		t.Race(5, []*Racer{first, second})
		if Done(first) != 2 || Done(first, second) != 7 {
			t.Fail(matrix.LayerHarness, "%d and %d of five turns are done", Done(first), Done(second))
		}
	})
	on(t, ends(matrix.Fail, matrix.LayerManagement, "stop it beside others, turn 3: it runs"), func(t *T, _ *hosttest.Host) {
		t.Race(5, []*Racer{NewRacer("start it", times(9, nil)), NewRacer("stop it", times(2, busy))})
	})
	on(t, ends(matrix.Fail, matrix.LayerManagement, "list it beside others, turn 1: it is twice in the list"), func(t *T, _ *hosttest.Host) {
		t.Race(5, []*Racer{NewRacer("start it", times(9, nil))}, NewRacer("list it", times(0, errors.New("it is twice in the list"))))
	})
}

func TestACallThatNeverReturnsEndsARace(t *testing.T) {
	on(t, ends(matrix.Fail, matrix.LayerManagement, "the call returns by which a client is to stop it"), func(t *T, h *hosttest.Host) {
		held := make(chan struct{})
		defer close(held)
		t.Race(2, []*Racer{NewRacer("stop it", func(int) error { <-held; return nil })})
	})
}
