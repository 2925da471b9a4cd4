package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/run"
)

// soakSteps is how often a soak looks at what the harness holds.
const soakSteps = 10

// soak restores many hosts, one after another, and looks for what grows.
func soak(ctx context.Context, l *lab) ([]row, error) {
	if err := l.warm(ctx); err != nil {
		return nil, err
	}
	// What is made once, for the first host, is no growth.
	for range 3 {
		if err := l.restoreOnce(ctx); err != nil {
			return nil, err
		}
	}
	var held []map[string]float64
	var took []float64
	for done := 0; done < l.restores; {
		for range min(max(l.restores/soakSteps, 1), l.restores-done) {
			began := time.Now()
			if err := l.restoreOnce(ctx); err != nil {
				return soakRows(l.restores, took, held), fmt.Errorf("restore %d: %w", done+1, err)
			}
			took = append(took, time.Since(began).Seconds())
			done++
		}
		now, err := l.holds()
		if err != nil {
			return soakRows(l.restores, took, held), err
		}
		held = append(held, now)
		l.say("%d of %d restores: %s", done, l.restores, list(now))
	}
	return soakRows(l.restores, took, held), nil
}

func (l *lab) restoreOnce(ctx context.Context) error {
	vm, err := l.restored(ctx, "soak")
	if err != nil {
		return err
	}
	_, err = vm.Exec(ctx, "true")
	if err != nil {
		vm.Close()
		return err
	}
	return vm.Close()
}

// memoryName is the figure that is in bytes, and may waver.
const memoryName = "memory"

// memorySlack is what the memory may waver by, in bytes.
const memorySlack = 4 << 20

// soakRows are one row for the time, and one for what grew: a soak is one sample,
// made of many. One that was cut short shows what there is, and meets nothing.
func soakRows(wanted int, took []float64, held []map[string]float64) []row {
	pace := row{What: fmt.Sprintf("one of %d restores, and its end", wanted), Unit: inSeconds, Ours: took, Wanted: wanted}
	if len(held) == 0 {
		return []row{pace}
	}
	first, last := held[0], held[len(held)-1]
	var grew []string
	for _, name := range slices.Sorted(maps.Keys(last)) {
		var values []float64
		for _, h := range held {
			values = append(values, h[name])
		}
		slack := 0.0
		if name == memoryName {
			slack = memorySlack
		}
		if grows(values, slack) {
			grew = append(grew, fmt.Sprintf("%s, from %.0f to %.0f", name, first[name], last[name]))
		}
	}
	r := row{
		What: fmt.Sprintf("kinds of things that grew over %d restores", len(took)), Unit: inCount,
		Ours: []float64{float64(len(grew))}, Target: &target{Of: ofOurs, Most: 0}, Whole: len(took) == wanted,
		Notes: []string{"first " + list(first), "last " + list(last)},
	}
	for _, g := range grew {
		r.Notes = append(r.Notes, "grew: "+g)
	}
	return []row{pace, r}
}

// list writes what is held in words.
func list(held map[string]float64) string {
	var words []string
	for _, name := range slices.Sorted(maps.Keys(held)) {
		if name == memoryName {
			words = append(words, fmt.Sprintf("%s %.1f MiB", name, held[name]/(1<<20)))
		} else {
			words = append(words, fmt.Sprintf("%s %.0f", name, held[name]))
		}
	}
	return strings.Join(words, ", ")
}

// holds counts what this process holds on the machine.
func (l *lab) holds() (map[string]float64, error) {
	debug.FreeOSMemory()
	held := map[string]float64{"goroutines": float64(runtime.NumGoroutine())}
	whole, _, err := resident(os.Getpid())
	if err != nil {
		return nil, err
	}
	held[memoryName] = whole
	held["processes"] = float64(len(descendants(os.Getpid())))
	if err := countDescriptors(held); err != nil {
		return nil, err
	}
	for name, pattern := range map[string]string{
		"threads":      "/proc/self/task/*",
		"runtime":      filepath.Join(l.driver.Runtime(), "*"),
		"scratch":      filepath.Join(run.Scratch(l.home), "*"),
		"logs":         l.file("soak", "*"),
		"loop devices": "/sys/block/loop*/loop",
		"snapshots":    l.file(snapshots, "*", "*"),
	} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			return nil, err
		}
		held[name] = float64(len(found))
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	held["mounts"] = float64(strings.Count(string(mounts), "\n"))
	return held, err
}

// countDescriptors tells open files and sockets apart.
func countDescriptors(held map[string]float64) error {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return err
	}
	held["files"], held["sockets"] = 0, 0
	for _, e := range entries {
		to, err := os.Readlink(filepath.Join("/proc/self/fd", e.Name()))
		switch {
		case err != nil: // the folder itself, closed by now
		case strings.HasPrefix(to, "socket:"):
			held["sockets"]++
		default:
			held["files"]++
		}
	}
	return nil
}
