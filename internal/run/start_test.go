package run

import (
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/snapshot"
	"github.com/virtmatrix/virtmatrix/internal/store"
	"github.com/virtmatrix/virtmatrix/matrix"
)

func TestSeveralHostsNeedRoomTogether(t *testing.T) {
	machine, contained := &matrix.Cell{ID: "kvm_x", Tier: matrix.Nested}, &matrix.Cell{Tier: matrix.Container}
	pair := matrix.Hosts{Count: 2}
	one, two := need(machine, matrix.Hosts{}, ""), need(machine, pair, "")
	if two.MemoryMB != 2*one.MemoryMB || two.What != "2 hosts of kvm_x" {
		t.Errorf("two machines need %+v, one %+v", two, one)
	}
	if got := need(machine, matrix.Hosts{Count: 1000}, "").Processors; got != runtime.NumCPU() {
		t.Errorf("a thousand machines keep %d processors busy, of %d", got, runtime.NumCPU())
	}
	if got := need(machine, matrix.Hosts{MemoryMB: 4096}, ""); got.MemoryMB != one.MemoryMB+4096-hostMemoryMB {
		t.Errorf("a large machine needs %+v", got)
	}
	one, two = need(contained, matrix.Hosts{}, "/home"), need(contained, pair, "/home")
	if two.MemoryMB != 2*one.MemoryMB || two.DiskMB != 2*one.DiskMB {
		t.Errorf("two containers need %+v, one %+v", two, one)
	}
}

func TestHostsThatCanNeverFitAreRefusedAtOnce(t *testing.T) {
	h := &Hosts{driver: &Driver{room: openRoom(t.TempDir()), store: &store.Store{}}}
	_, err := h.Reserve(t.Context(), &matrix.Cell{ID: "kvm_x"}, matrix.Hosts{Count: 2, MemoryMB: 1 << 30}, func(why string) { t.Errorf("it waits %s", why) })
	var ours *fault.Infra
	if !errors.As(err, &ours) || !strings.Contains(err.Error(), "make room for 2 hosts of kvm_x") || !strings.Contains(err.Error(), "use a machine") {
		t.Errorf("Reserve = %v", err)
	}
}

func TestWantedHostsDifferFromTheUsual(t *testing.T) {
	h := &Hosts{driver: &Driver{}, Snapshots: snapshot.In(t.TempDir())}
	cell := &matrix.Cell{ID: "kvm_x", Tier: matrix.Nested}
	usual := h.settings(cell, matrix.Hosts{}, 0)
	if usual.CPUs != hostCPUs || usual.MemoryMB != hostMemoryMB || usual.Snapshots == nil || !usual.Peers.Alone() || usual.Network {
		t.Errorf("the usual host is %+v", usual)
	}
	s := h.settings(cell, matrix.Hosts{Count: 2, CPUs: 4, MemoryMB: 4096, Cold: true, Network: true, Mounts: true, Sandboxes: true}, 1)
	if s.CPUs != 4 || s.MemoryMB != 4096 || s.Snapshots != nil || s.Peers.Role != 1 || s.Peers.Alone() || !s.Network || !s.Mounts || !s.Sandboxes {
		t.Errorf("the wanted one is %+v", s)
	}
}
