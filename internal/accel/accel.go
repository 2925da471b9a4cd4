// Package accel finds out by booting what runs L1 on this machine.
//
// A device node proves nothing: a /dev/kvm may open, answer its ioctls and
// still hang every kernel. So a real kernel is booted to a known line, once per
// accelerator, and the answer is kept.
package accel

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/virtmatrix/virtmatrix/fixtures/l2"
	"github.com/virtmatrix/virtmatrix/internal/console"
	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/internal/owner"
	"github.com/virtmatrix/virtmatrix/internal/store/disk"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// The accelerators, as qemu names them.
const (
	KVM = "kvm"
	TCG = "tcg"
)

// Result is what a machine can do.
type Result struct {
	// Accel is the accelerator to use.
	Accel string `json:"accel"`
	// Seconds is how long the probe's kernel took to its line with it.
	Seconds float64 `json:"seconds"`
	// Scale multiplies every time limit: this machine's probe time over that
	// of the machine the limits were measured on, at least 1.
	Scale float64 `json:"scale"`
	// WhyNotKVM says what happened to the kvm probe; empty when kvm is used.
	WhyNotKVM string `json:"why_not_kvm,omitempty"`
}

// Probe is what a probe boots, and where its answer is kept.
type Probe struct {
	Emulator host.Emulator
	Guest    host.GuestParts
	// Runtime is the folder for the probe's files, Cache the answer's file.
	Runtime, Cache string
}

// referenceSeconds is the probe's boot under tcg on the machine on which the
// time limits were measured.
const referenceSeconds = 4.0

// The deadlines of a probe's boot. An accelerator that works needs a fraction
// of the first; emulation on a starved machine must still get its chance.
const (
	kvmDeadline = 20 * time.Second
	tcgDeadline = 3 * time.Minute
)

// Run returns the kept answer when it is about this machine, and otherwise
// boots with each accelerator, the fastest first, until one works.
func (p Probe) Run(ctx context.Context) (Result, error) {
	// Of processes that ask at once one boots, undisturbed: the time it takes
	// becomes the machine's scale.
	release, err := disk.Lock(ctx, p.Cache+".lock")
	if err != nil {
		return Result{}, fault.Infraf("probe accelerator", "%w", err)
	}
	defer release()
	if r, ok := p.load(); ok {
		return r, nil
	}
	r, err := measure(ctx, kvmDevice, p.boot)
	if err != nil {
		return Result{}, err
	}
	r.Scale = max(1, r.Seconds/referenceSeconds)
	return r, p.save(r)
}

// kvmDevice is what an emulator needs for KVM, and proves nothing.
const kvmDevice = "/dev/kvm"

// try boots a kernel with an accelerator to its known line, within a limit, and
// returns the seconds that it took.
type try func(ctx context.Context, accel string, limit time.Duration) (float64, error)

func measure(ctx context.Context, device string, boot try) (Result, error) {
	why := "there is no " + device
	if _, err := os.Stat(device); err == nil {
		seconds, err := boot(ctx, KVM, kvmDeadline)
		if err == nil {
			return Result{Accel: KVM, Seconds: seconds}, nil
		}
		why = err.Error()
	}
	seconds, err := boot(ctx, TCG, tcgDeadline)
	switch {
	case ctx.Err() != nil:
		return Result{}, fault.Infraf("probe accelerator", "%w", context.Cause(ctx))
	case err != nil:
		return Result{}, fault.Infraf("probe accelerator", "no kernel boots here, not even emulated: %w", err)
	}
	return Result{Accel: TCG, Seconds: seconds, WhyNotKVM: why}, nil
}

// boot runs the probe's kernel until its init speaks, and returns the seconds.
func (p Probe) boot(ctx context.Context, accel string, limit time.Duration) (float64, error) {
	folder, err := owner.NewFolder(p.Runtime, "probe-")
	if err != nil {
		return 0, err
	}
	defer folder.Remove()
	initrd, serial := filepath.Join(folder.Path, "initrd"), filepath.Join(folder.Path, "console")
	if err := host.WriteGuestInitramfs(initrd, p.Guest); err != nil {
		return 0, err
	}
	log, err := os.Create(filepath.Join(folder.Path, "emulator"))
	if err != nil {
		return 0, err
	}
	defer log.Close()
	cpu := "max"
	if accel == TCG {
		cpu = p.Emulator.CPU[matrix.KVM]
	}
	start := time.Now()
	proc, err := owner.Start(owner.Options{Usr: p.Emulator.Usr, Output: log, Argv: []string{
		p.Emulator.Program, "-nodefaults", "-no-user-config", "-machine", p.Emulator.Machine + ",accel=" + accel,
		"-cpu", cpu, "-m", "256", "-display", "none", "-no-reboot", "-serial", "file:" + serial,
		"-kernel", p.Guest.Kernel, "-initrd", initrd, "-append", "console=ttyS0 panic=-1 " + l2.TokenArg + accel,
	}})
	if err != nil {
		return 0, err
	}
	defer proc.Kill()
	return awaitLine(ctx, proc, console.Log{Path: serial}, log.Name(), limit, start)
}

func awaitLine(ctx context.Context, proc *owner.Process, con console.Log, log string, limit time.Duration, start time.Time) (float64, error) {
	for {
		text, err := con.Since(0)
		if err != nil {
			return 0, err
		}
		if bytes.Contains(text, []byte(l2.Prefix)) {
			return time.Since(start).Seconds(), nil
		}
		select {
		case <-proc.Done():
			said, _ := console.Log{Path: log}.Last(console.MaxBytes)
			how := proc.Err()
			if how == nil {
				how = errors.New("the kernel rebooted or powered off")
			}
			return 0, fmt.Errorf("the emulator ended: %w: %s", how, strings.TrimSpace(console.Tail(append(said, text...), 5)))
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		case <-time.After(20 * time.Millisecond):
		}
		if time.Since(start) > limit {
			return 0, fmt.Errorf("a kernel did not come up within %s; its console ends with %q", limit, console.Tail(text, 1))
		}
	}
}

// identity is what an answer depends on besides the kernel that was booted: this
// boot of this machine, and the emulator.
func identity(e host.Emulator) string {
	h := sha256.New()
	for _, f := range []string{"/proc/sys/kernel/osrelease", "/proc/sys/kernel/random/boot_id"} {
		b, _ := os.ReadFile(f)
		h.Write(b)
	}
	fmt.Fprintln(h, e.Usr, e.Version, e.Machine, e.CPU[matrix.KVM])
	return hex.EncodeToString(h.Sum(nil))
}

type kept struct {
	Identity string `json:"identity"`
	// Kernel is what the probe booted.
	Kernel string `json:"kernel"`
	Result Result `json:"result"`
}

// Kept is the answer that a probe left in the cache file, whatever kernel it
// booted; ok is false when none was made with the emulator since this machine's
// boot.
func Kept(cache string, e host.Emulator) (r Result, ok bool) {
	k, ok := recall(cache)
	if !ok || k.Identity != identity(e) {
		return Result{}, false
	}
	return k.Result, true
}

// Emulates says whether this machine emulates L1: by the answer that a probe
// left in the cache file, and before the first probe by whether there is a device.
func Emulates(cache string) bool {
	if k, ok := recall(cache); ok {
		return k.Result.Accel != KVM
	}
	_, err := os.Stat(kvmDevice)
	return err != nil
}

// recall reads the answer that a probe left; ok is false when there is none.
func recall(cache string) (k kept, ok bool) {
	b, err := os.ReadFile(cache)
	ok = err == nil && json.Unmarshal(b, &k) == nil && k.Result.Accel != ""
	return k, ok
}

func (p Probe) load() (Result, bool) {
	k, ok := recall(p.Cache)
	if !ok || k.Identity != identity(p.Emulator) || k.Kernel != p.Guest.Kernel {
		return Result{}, false
	}
	return k.Result, true
}

func (p Probe) save(r Result) error {
	b, err := json.MarshalIndent(kept{identity(p.Emulator), p.Guest.Kernel, r}, "", "  ")
	if err == nil {
		err = os.MkdirAll(filepath.Dir(p.Cache), 0o755)
	}
	if err == nil {
		tmp := fmt.Sprintf("%s.%d", p.Cache, os.Getpid())
		if err = os.WriteFile(tmp, b, 0o644); err == nil {
			err = os.Rename(tmp, p.Cache)
		}
		if err != nil {
			os.Remove(tmp)
		}
	}
	if err != nil {
		return fault.Infraf("keep the probe's answer", "%w", disk.Explain(err, p.Cache))
	}
	return nil
}
