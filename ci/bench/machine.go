package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/run"
)

// machine is where the samples were taken.
type machine struct {
	Processor  string  `json:"processor"`
	Processors int     `json:"processors"`
	MemoryMB   int64   `json:"memory_mb"`
	Kernel     string  `json:"kernel"`
	Accel      string  `json:"accelerator,omitempty"`
	Emulator   string  `json:"emulator,omitempty"`
	Scale      float64 `json:"scale,omitempty"`
	Revision   string  `json:"revision"`
}

// String is the first line of the table.
func (m machine) String() string {
	s := fmt.Sprintf("%d x %s, %d MiB, Linux %s, virtmatrix %s", m.Processors, m.Processor, m.MemoryMB, m.Kernel, m.Revision)
	if m.Accel != "" {
		s += fmt.Sprintf("\nL1 under %s of qemu %s, scale %.2f", m.Accel, m.Emulator, m.Scale)
	}
	return s
}

// machine describes this one. The accelerator is known only when a measure booted.
func (l *lab) machine(ctx context.Context) machine {
	m := machine{Processor: "unknown processor", Processors: runtime.NumCPU(), Revision: run.Revision(ctx)}
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if name, ok := valueOf(info, "model name"); ok {
			m.Processor = name
		}
	}
	if info, err := os.ReadFile("/proc/meminfo"); err == nil {
		if total, ok := valueOf(info, "MemTotal"); ok {
			var kb int64
			_, _ = fmt.Sscan(total, &kb)
			m.MemoryMB = kb >> 10
		}
	}
	if release, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.Kernel = string(bytes.TrimSpace(release))
	}
	if l.hosts != nil {
		m.Accel, m.Scale, m.Emulator = l.hosts.Accel().Accel, l.hosts.Accel().Scale, l.hosts.Emulator().Version
	}
	return m
}

// valueOf finds the first line "KEY : VALUE".
func valueOf(text []byte, key string) (string, bool) {
	for line := range strings.Lines(string(text)) {
		name, value, ok := strings.Cut(line, ":")
		if ok && strings.TrimSpace(name) == key {
			return strings.TrimSpace(value), true
		}
	}
	return "", false
}

// glance is how long the machine is looked at before a sample.
const glance = 500 * time.Millisecond

// look finds out how busy others keep the machine: nothing of ours runs now.
func look() (busy, load float64, err error) {
	before, err := busyTicks()
	if err != nil {
		return 0, 0, err
	}
	start := time.Now()
	time.Sleep(glance) // what passes meanwhile is what is measured
	after, err := busyTicks()
	if err != nil {
		return 0, 0, err
	}
	text, err := os.ReadFile("/proc/loadavg")
	if err == nil {
		_, err = fmt.Sscan(string(text), &load)
	}
	return (after - before) / ticksPerSecond / time.Since(start).Seconds(), load, err
}

// ticksPerSecond is the unit of times in /proc (USER_HZ, always 100 on x86).
const ticksPerSecond = 100

// busyTicks is for how long all processors have worked so far.
func busyTicks() (float64, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	return parseStat(string(text))
}

// parseStat adds up the first line of /proc/stat, less what was idle or waited for
// a disk (proc(5): user nice system idle iowait irq softirq steal; guest time is
// part of user's).
func parseStat(text string) (float64, error) {
	var user, nice, system, idle, iowait, irq, softirq, steal float64
	_, err := fmt.Sscanf(text, "cpu %f %f %f %f %f %f %f %f", &user, &nice, &system, &idle, &iowait, &irq, &softirq, &steal)
	if err != nil {
		return 0, fmt.Errorf("cannot read /proc/stat: %w", err)
	}
	return user + nice + system + irq + softirq + steal, nil
}
