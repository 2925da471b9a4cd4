package container

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/internal/realtest"
	"github.com/virtmatrix/virtmatrix/internal/store"
	"github.com/virtmatrix/virtmatrix/internal/store/disk"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// realOptions describes a real host: bookworm's userland and this tree's agent.
func realOptions(t *testing.T) Options {
	t.Helper()
	bed := realtest.NewBed(t)
	if engine, err := Probe(t.Context()); err != nil {
		t.Skipf("%v", err)
	} else {
		t.Log(engine)
	}
	sum, _, err := disk.Digest(bed.Root)
	if err != nil {
		t.Fatal(err)
	}
	return Options{
		Runtime: realtest.Runtime(t), Home: store.Home(),
		Parts: host.Parts{
			Layout: bed.Layout,
			Kernel: bed.Kernel, Root: bed.Root, Sums: map[string]string{bed.Root: sum},
			Agent: realtest.Compile(t, "../agent/l1init"),
			Guest: host.GuestParts{Kernel: bed.Kernel, Init: realtest.Compile(t, "../../fixtures/l2/init"), Modules: bed.GuestModules},
		},
		Settings: host.Settings{
			Name: "fault", Kind: matrix.KVM, Accel: "tcg", Scale: 1,
			LogDir: filepath.Join(t.TempDir(), "logs"), ScratchDir: t.TempDir(),
		},
	}
}

func up(t *testing.T, o Options) *Host {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	start := time.Now()
	h, err := Boot(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("up after %s", time.Since(start))
	t.Cleanup(func() { h.Close() })
	return h
}

func TestRealHostOfAContainer(t *testing.T) {
	h := up(t, realOptions(t))
	res, err := h.Exec(t.Context(), "virsh -c qemu:///system version")
	if err != nil || !res.OK() || !bytes.Contains(res.Stdout, []byte("Running hypervisor: QEMU")) {
		t.Fatalf("virsh says %q, %v", res.Text(), err)
	}
	path := "/var/lib/libvirt/images/x"
	if err := h.Write(t.Context(), path, []byte("kept")); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(filepath.Join(h.bulk.Path, dirScratch, "x")); err != nil || string(b) != "kept" {
		t.Errorf("on L0's disk: %q, %v", b, err)
	}
	if got := h.Sched(); got.Ran == 0 {
		t.Errorf("its processes have not run: %s", got)
	}
}
