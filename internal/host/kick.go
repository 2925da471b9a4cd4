package host

import (
	"context"
	"time"
)

// kicked is the quirk of hosts whose processors are emulated. QEMU's TCG notes the
// interrupts that wait for a processor in one word. As it starts a nested guest with
// an interrupt of its own (helper_vmrun in QEMU 7.2's svm_helper.c, V_IRQ), it changes
// that word without the lock that its other threads change it under, so that what they
// note at that moment is lost. It comes with the next interrupt of that processor:
// when what was lost is the timer's, and the processor idle, there is none until
// something from outside comes: its local APIC has the timer's vector in IRR, and
// nothing serves it. A host with one processor stood still so in three of eight starts
// of a guest, until somebody spoke to its agent.
const kicked = "nested guests on tcg: the processors of an idle host are interrupted once a second, because the emulator can lose an interrupt, which comes with the next"

// kickInterval is how often an idle host is kicked. Each time costs one of two processors
// some 12 ms.
const kickInterval = time.Second

// idle says of what a host's emulator ran since it was last asked, kickInterval before,
// whether the host is idle. One that does more has interrupts of its own.
func idle(ran time.Duration) bool { return ran <= kickInterval/4 }

// kick makes the processors of the host take interrupts, whenever it is idle, until it
// ends.
func (vm *VM) kick() {
	had := vm.proc.Sched()
	for {
		select {
		case <-vm.proc.Done():
			return
		case <-time.After(kickInterval):
		}
		has := vm.proc.Sched()
		ran := has.Sub(had).Ran
		had = has
		if !idle(ran) {
			continue
		}
		// One at a time: it waits for a host that is slow, or that is stopped. The session
		// of one that reboots ends, and another one comes.
		_ = vm.session().Kick(context.Background())
	}
}
