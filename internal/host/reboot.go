package host

import (
	"context"

	"github.com/virtmatrix/virtmatrix/internal/fault"
)

// Reboot resets the machine, and returns when its agent answers and its services are up
// again. What was written is on its disks; all else ends as a power cut ends it. Its
// forwarded sockets stay, and their connections end.
func (vm *VM) Reboot(ctx context.Context) error {
	res, err := vm.Exec(ctx, "sync")
	if err == nil && !res.OK() {
		err = fault.Infraf("write the host's disks", "%s", res.Text())
	}
	if err != nil {
		return err
	}
	release, err := vm.settings.turn(ctx)
	if err != nil {
		return err
	}
	defer release()
	if err := vm.onReset(ctx, "reset"); err != nil {
		return err
	}
	if err := vm.reset(ctx); err != nil {
		return err
	}
	if err := vm.onReset(ctx, "shutdown"); err != nil {
		return err
	}
	return vm.awaitServices(ctx)
}

// onReset says what a reset does. As the emulator was started it ends it (-no-reboot): a
// host that panics must not come up again.
func (vm *VM) onReset(ctx context.Context, action string) error {
	if err := vm.monitor.Do(ctx, "set-action", map[string]any{"reboot": action}, nil); err != nil {
		return fault.Infraf("reboot host", "%w", err)
	}
	return nil
}

// reset resets the machine and connects to the agent that comes up.
func (vm *VM) reset(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go vm.watchBoot(ctx, cancel, phase{vm.settings.stall(), vm.bootFailure})
	old := vm.session()
	if err := vm.monitor.Do(ctx, "system_reset", nil, nil); err != nil {
		return vm.bootFault(ctx, err)
	}
	// The port takes one connection at a time.
	old.Close()
	if err := vm.connectAgent(ctx); err != nil {
		return vm.bootFault(ctx, err)
	}
	return nil
}
