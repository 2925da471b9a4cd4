package main

import (
	"io"
	"testing"

	"github.com/virtmatrix/virtmatrix/internal/owner"
	"github.com/virtmatrix/virtmatrix/internal/run"
	"github.com/virtmatrix/virtmatrix/internal/snapshot"
)

func TestTheFirstRestoreOfAProcessIsJudged(t *testing.T) {
	first := sample{Values: map[string]float64{"agent": 2.0, "libvirt": 2.1, "runs": 1.8}}
	next := sample{Values: map[string]float64{"agent": 0.5, "libvirt": 0.6, "runs": 0.4}}
	qemu := sample{Values: map[string]float64{"agent": 1.0, "runs": 1.0}}
	s := series{samples: map[string][]sample{}}
	for range enough {
		for name, one := range map[string]sample{ours: first, again: next, plain: qemu, mapped: qemu} {
			s.samples[name] = append(s.samples[name], one)
		}
	}
	judged := 0
	for _, r := range restoreRows(s) {
		switch r.verdict() {
		case missed:
			judged++
		case "":
		default:
			t.Errorf("%s: %q of %v", r.What, r.verdict(), r.Ours)
		}
	}
	if judged != 2 {
		t.Errorf("%d rows miss their targets, want 2", judged)
	}
}

// A store remembers what it has verified, which the next process does not.
func TestEachFirstRestoreHasAStoreThatVerifiedNothing(t *testing.T) {
	l := &lab{large: &owner.Folder{Path: t.TempDir()}, hosts: &run.Hosts{}}
	own := snapshot.In(l.file(snapshots))
	l.hosts.Snapshots = own
	of, err := snapshot.NewSubject("kvm", "a host", nil)
	holds(t, err)
	_, err = own.Make(of, func(d *snapshot.Draft) error {
		return d.Write("state", func(w io.Writer) error { _, err := io.WriteString(w, "of L1"); return err })
	})
	holds(t, err)
	r := &restoreBench{lab: l}
	seen := map[*snapshot.Store]bool{own: true}
	for range 2 {
		store := r.anew().Snapshots
		if seen[store] {
			t.Error("two restores share a store")
		}
		seen[store] = true
		if _, err := store.Find(of); err != nil {
			t.Errorf("it finds no snapshot: %v", err)
		}
	}
	if l.hosts.Snapshots != own {
		t.Error("other restores have another store now")
	}
}
