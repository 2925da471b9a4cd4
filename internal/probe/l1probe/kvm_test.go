package main

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/virtmatrix/virtmatrix/internal/probe"
)

func TestGuestSaysTheSumItWasGiven(t *testing.T) {
	f, err := os.OpenFile("/dev/kvm", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("this machine has no KVM to try the guest on: %v", err)
	}
	f.Close()
	want := probe.KVM{
		APIVersion: 12,
		Exits: []probe.Exit{
			{Reason: probe.ExitIO, Out: true, Port: probe.Port, Data: []byte("7")},
			{Reason: probe.ExitIO, Out: true, Port: probe.Port, Data: []byte("\n")},
			{Reason: probe.ExitHLT},
		},
		Memory: '7',
	}
	if diff := cmp.Diff(want, askKVM()); diff != "" {
		t.Errorf("the guest ran differently (-want +got):\n%s", diff)
	}
}

func TestUnknownQuestionsAreRefused(t *testing.T) {
	for _, args := range [][]string{nil, {"x"}, {probe.AskKVM, "x"}, {probe.AskDeviceFilter}} {
		if answer, err := ask(args); err == nil {
			t.Errorf("%q was answered: %+v", args, answer)
		}
	}
}

func TestAMissingControlGroupIsInTheAnswer(t *testing.T) {
	if got := askDeviceFilter(t.TempDir() + "/none"); got.Error == "" || got.AllowedNull != "" {
		t.Errorf("got %+v", got)
	}
}

func TestAMissingPageIsTheOneThatWasGiven(t *testing.T) {
	got := askFault()
	if got.Error != "" {
		t.Skipf("this machine has no userfaultfd: %s", got.Error)
	}
	if got.Read != got.Given {
		t.Errorf("the byte read is %#x and not %#x", got.Read, got.Given)
	}
}

func TestADeviceThatIsNoVhostHasNoFeatures(t *testing.T) {
	if got := askVhost("/dev/null"); got.Error == "" {
		t.Errorf("/dev/null has features: %+v", got)
	}
}
