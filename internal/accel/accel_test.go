package accel

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/matrix"
)

var (
	errHangs   = errors.New("a kernel did not come up within 20s")
	errNoQEMU  = errors.New("qemu-system-x86_64 was not started")
	errRefused = errors.New("the emulator ended: status 1: failed to initialize kvm: Permission denied")
)

// machine is one on which some accelerators boot a kernel.
type machine struct {
	kvm, tcg error
	asked    []string
}

func (m *machine) boot(_ context.Context, accel string, _ time.Duration) (float64, error) {
	m.asked = append(m.asked, accel)
	if accel == KVM {
		return 0.8, m.kvm
	}
	return 8, m.tcg
}

func device(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kvm")
	if err := os.WriteFile(path, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAnAcceleratorIsBelievedWhenAKernelBootsWithIt(t *testing.T) {
	there, absent := device(t), filepath.Join(t.TempDir(), "kvm")
	for name, tc := range map[string]struct {
		machine machine
		device  string
		want    Result
		asked   []string
	}{
		"kvm works":       {machine{}, there, Result{Accel: KVM, Seconds: 0.8}, []string{KVM}},
		"kvm hangs":       {machine{kvm: errHangs}, there, Result{Accel: TCG, Seconds: 8, WhyNotKVM: errHangs.Error()}, []string{KVM, TCG}},
		"kvm is refused":  {machine{kvm: errRefused}, there, Result{Accel: TCG, Seconds: 8, WhyNotKVM: errRefused.Error()}, []string{KVM, TCG}},
		"there is no kvm": {machine{}, absent, Result{Accel: TCG, Seconds: 8, WhyNotKVM: "there is no " + absent}, []string{TCG}},
	} {
		got, err := measure(t.Context(), tc.device, tc.machine.boot)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if diff := cmp.Diff(tc.asked, tc.machine.asked); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestAMachineOnWhichNothingBootsIsOurFault(t *testing.T) {
	m := machine{kvm: errHangs, tcg: errNoQEMU}
	_, err := measure(t.Context(), device(t), m.boot)
	if v, _ := fault.Classify(err); v != matrix.Infra || !errors.Is(err, errNoQEMU) || !strings.Contains(err.Error(), "not even emulated") {
		t.Errorf("measure = %v", err)
	}
}

func TestAProbeThatIsCalledOffIsNoAnswer(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	m := machine{kvm: context.Canceled, tcg: context.Canceled}
	if r, err := measure(ctx, device(t), m.boot); !errors.Is(err, context.Canceled) || r != (Result{}) {
		t.Errorf("measure = %+v, %v", r, err)
	}
}

func newProbe(t *testing.T) Probe {
	t.Helper()
	return Probe{
		Emulator: host.Emulator{Version: "1:7.2", Machine: "pc-q35-7.2", CPU: map[matrix.Kind]string{matrix.KVM: "max"}},
		Guest:    host.GuestParts{Kernel: "/store/k/vmlinuz"},
		Cache:    filepath.Join(t.TempDir(), "home", "accel.json"),
	}
}

func TestAnAnswerIsKept(t *testing.T) {
	p := newProbe(t)
	want := Result{Accel: TCG, Seconds: 8, Scale: 2, WhyNotKVM: "it hangs"}
	if err := p.save(want); err != nil {
		t.Fatal(err)
	}
	if got, err := p.Run(t.Context()); err != nil || got != want {
		t.Errorf("Run = %+v, %v; want what was kept", got, err)
	}
	if torn, _ := filepath.Glob(p.Cache + ".[0-9]*"); len(torn) != 0 {
		t.Errorf("besides the answer there are %v", torn)
	}
}

func TestAKeptAnswerToAnotherQuestionIsNone(t *testing.T) {
	p := newProbe(t)
	if err := p.save(Result{Accel: KVM, Scale: 1}); err != nil {
		t.Fatal(err)
	}
	for name, other := range map[string]func(*Probe){
		"emulator":  func(p *Probe) { p.Emulator.Version = "1:10.0" },
		"image":     func(p *Probe) { p.Emulator.Usr = "/store/qemu-other/usr.squashfs" },
		"machine":   func(p *Probe) { p.Emulator.Machine = "pc-q35-10.0" },
		"processor": func(p *Probe) { p.Emulator.CPU = map[matrix.Kind]string{matrix.KVM: "max,cx16=off"} },
		"kernel":    func(p *Probe) { p.Guest.Kernel = "/store/other/vmlinuz" },
	} {
		q := p
		other(&q)
		if r, ok := q.load(); ok {
			t.Errorf("another %s: the answer is %+v", name, r)
		}
		// What runs L1 here is known whatever kernel was booted to find it out.
		if _, ok := Kept(p.Cache, q.Emulator); ok != (name == "kernel") {
			t.Errorf("another %s: there is an answer for the emulator: %v", name, ok)
		}
	}
}

func TestATornAnswerIsNone(t *testing.T) {
	p := newProbe(t)
	whole, err := json.Marshal(kept{identity(p.Emulator), p.Guest.Kernel, Result{Accel: KVM, Scale: 1}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Dir(p.Cache), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"empty": "", "torn": string(whole[:len(whole)-5]), "garbage": "\x00\x00", "of no accelerator": `{"identity":"` + identity(p.Emulator) + `","kernel":"` + p.Guest.Kernel + `"}`,
	} {
		if err := os.WriteFile(p.Cache, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if r, ok := p.load(); ok {
			t.Errorf("%s: the answer is %+v", name, r)
		}
	}
}

func TestAnAnswerThatCannotBeKeptIsSaidSo(t *testing.T) {
	p := newProbe(t)
	if err := os.WriteFile(filepath.Dir(p.Cache), nil, 0o644); err != nil { // a file where the folder goes
		t.Fatal(err)
	}
	err := p.save(Result{Accel: TCG})
	if v, _ := fault.Classify(err); v != matrix.Infra || err == nil || !strings.Contains(err.Error(), "keep the probe's answer") {
		t.Errorf("save = %v", err)
	}
}

func TestWhetherL1IsEmulatedIsKnownFromTheLastProbe(t *testing.T) {
	cache := filepath.Join(t.TempDir(), "accel.json")
	for accel, want := range map[string]bool{KVM: false, TCG: true} {
		if err := (Probe{Cache: cache}).save(Result{Accel: accel}); err != nil {
			t.Fatal(err)
		}
		if got := Emulates(cache); got != want {
			t.Errorf("after a probe that found %s: emulated %v, want %v", accel, got, want)
		}
	}
	_, err := os.Stat(kvmDevice)
	if got := Emulates(filepath.Join(t.TempDir(), "none")); got != (err != nil) {
		t.Errorf("without an answer: emulated %v, and the device: %v", got, err)
	}
}
