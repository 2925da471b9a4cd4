package host

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/virtmatrix/virtmatrix/matrix"
)

func TestWhatASnapshotFits(t *testing.T) {
	o := fakeOrder(t)
	key := func(change func(*order)) string {
		t.Helper()
		other := o
		change(&other)
		of, err := other.subject()
		check(t, err)
		return of.Key()
	}
	same := key(func(*order) {})
	for name, change := range map[string]func(*order){
		"name":      func(o *order) { o.settings.Name = "x" },
		"logs":      func(o *order) { o.settings.LogDir = "/x" },
		"scale":     func(o *order) { o.settings.Scale = 7 },
		"patience":  func(o *order) { o.settings.Silence, o.settings.Longest = 1, 2 },
		"scratch":   func(o *order) { o.settings.ScratchDir = "/x" },
		"same root": func(o *order) { o.parts.Root = copied(t, o.parts.Root, "") },
	} {
		if key(change) != same {
			t.Errorf("%s makes another host", name)
		}
	}
	for name, change := range map[string]func(*order){
		"emulator":    func(o *order) { o.emulator.Version = "1:7.2-2" },
		"machine":     func(o *order) { o.emulator.Machine = "pc-q35-8.0" },
		"processor":   func(o *order) { o.emulator.CPU = map[matrix.Kind]string{matrix.KVM: "max,cx16=off"} },
		"memory":      func(o *order) { o.settings.MemoryMB = 2048 },
		"accelerator": func(o *order) { o.settings.Accel = "kvm" },
		"root":        func(o *order) { o.parts.Root = copied(t, o.parts.Root, "more") },
		"known root":  func(o *order) { o.parts.Sums = map[string]string{o.parts.Root: "0123"} },
		"agent":       func(o *order) { o.parts.Agent = copied(t, o.parts.Agent, "more") },
		"L2":          func(o *order) { o.parts.Guest.Init = copied(t, o.parts.Guest.Init, "more") },
		"L0":          func(o *order) { o.settings.Machine = map[string]string{"kvm": "nested=1"} },
		"security":    func(o *order) { o.settings.Axes = []matrix.Setting{{Axis: Security, Value: "apparmor"}} },
	} {
		if key(change) == same {
			t.Errorf("another %s makes the same host", name)
		}
	}
}

// copied copies a file and adds to it.
func copied(t *testing.T, path, more string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	check(t, err)
	out := filepath.Join(t.TempDir(), filepath.Base(path))
	check(t, os.WriteFile(out, append(b, more...), 0o644))
	return out
}
