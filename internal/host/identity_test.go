package host

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/virtmatrix/virtmatrix/matrix"
)

func TestWhatASnapshotFits(t *testing.T) {
	o := fakeOptions(t)
	key := func(change func(*options)) string {
		t.Helper()
		other := o
		change(&other)
		of, err := other.subject()
		check(t, err)
		return of.Key()
	}
	same := key(func(*options) {})
	for name, change := range map[string]func(*options){
		"name":      func(o *options) { o.settings.Name = "x" },
		"logs":      func(o *options) { o.settings.LogDir = "/x" },
		"scale":     func(o *options) { o.settings.Scale = 7 },
		"patience":  func(o *options) { o.settings.Silence, o.settings.Longest = 1, 2 },
		"scratch":   func(o *options) { o.settings.ScratchDir = "/x" },
		"same root": func(o *options) { o.parts.Root = copied(t, o.parts.Root, "") },
	} {
		if key(change) != same {
			t.Errorf("%s makes another host", name)
		}
	}
	for name, change := range map[string]func(*options){
		"emulator":    func(o *options) { o.emulator.Version = "1:7.2-2" },
		"machine":     func(o *options) { o.emulator.Machine = "pc-q35-8.0" },
		"processor":   func(o *options) { o.emulator.CPU = map[matrix.Kind]string{matrix.KVM: "max,cx16=off"} },
		"memory":      func(o *options) { o.settings.MemoryMB = 2048 },
		"accelerator": func(o *options) { o.settings.Accel = "kvm" },
		"root":        func(o *options) { o.parts.Root = copied(t, o.parts.Root, "more") },
		"known root":  func(o *options) { o.parts.Sums = map[string]string{o.parts.Root: "0123"} },
		"agent":       func(o *options) { o.parts.Agent = copied(t, o.parts.Agent, "more") },
		"medium":      func(o *options) { o.parts.Medium = copied(t, o.parts.Root, "medium") },
		"firmware":    func(o *options) { *o = fromDisc(*o, ISOUEFI); o.emulator.Firmware.Code = "/usr/share/code.fd" },
		"L2":          func(o *options) { o.parts.Guest.Init = copied(t, o.parts.Guest.Init, "more") },
		"L0":          func(o *options) { o.settings.Machine = map[string]string{"kvm": "nested=1"} },
		"security":    func(o *options) { o.settings.Axes = []matrix.Setting{{Axis: Security, Value: "apparmor"}} },
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
