package host

import (
	"context"
	"errors"
	"testing"

	"github.com/virtmatrix/virtmatrix/matrix"
)

func TestRegistersAreWhatTheMonitorPrints(t *testing.T) {
	o := fakeOptions(t)
	vm := boot(t, o)
	defer func() { check(t, vm.Close()) }()
	got, err := vm.Registers(t.Context())
	check(t, err)
	if want := "info registers -a: RIP=ffffffff81000000"; got != want {
		t.Errorf("registers %q, want %q", got, want)
	}
	cause := errors.New("given up")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	_, err = vm.Registers(ctx)
	want(t, "called off", err, matrix.Infra, matrix.LayerHarness, "cannot read registers of host", "given up")
}

func TestRegistersHaveAnEnd(t *testing.T) {
	o := fakeOptions(t)
	t.Setenv(flawEnv, "verbose")
	vm := boot(t, o)
	defer func() { check(t, vm.Close()) }()
	got, err := vm.Registers(t.Context())
	check(t, err)
	if len(got) != maxRegisters {
		t.Errorf("%d bytes of registers, want %d", len(got), maxRegisters)
	}
}

func TestAMonitorThatRefusesRegistersIsOurFault(t *testing.T) {
	o := fakeOptions(t)
	t.Setenv(flawEnv, "no monitor")
	vm := boot(t, o)
	defer func() { check(t, vm.Close()) }()
	_, err := vm.Registers(t.Context())
	want(t, "refusal", err, matrix.Infra, matrix.LayerHarness, "cannot read registers of host", "it has no monitor")
	mute, _ := fakeVM(t, matrix.KVM, "")
	_, err = mute.Registers(t.Context())
	want(t, "no session", err, matrix.Infra, matrix.LayerHarness, "cannot read registers of host", "never answered")
}
