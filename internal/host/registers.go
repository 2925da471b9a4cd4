package host

import (
	"context"
	"errors"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/fault"
)

// registersLimit bounds how long the emulator may take to print registers, at
// scale 1, and maxRegisters how much of it is kept, in bytes: a processor's take
// some five thousand.
const (
	registersLimit = 30 * time.Second
	maxRegisters   = 256 << 10
)

// Registers are those of all of L1's processors, as the emulator prints them for
// people: where a host stands that says nothing. The error is ours.
func (vm *VM) Registers(ctx context.Context) (string, error) {
	if vm.monitor == nil {
		return "", fault.Infraf("read registers of host", "its emulator never answered")
	}
	ctx, cancel := context.WithTimeoutCause(ctx, vm.settings.Limit(registersLimit), errors.New("the emulator does not print them"))
	defer cancel()
	var text string
	err := vm.monitor.Do(ctx, "human-monitor-command", map[string]any{"command-line": "info registers -a"}, &text)
	if err != nil {
		return "", fault.Infraf("read registers of host", "%w", fault.Cause(ctx, err))
	}
	return text[:min(len(text), maxRegisters)], nil
}
