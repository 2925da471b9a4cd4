package main

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/journal"
	"github.com/virtmatrix/virtmatrix/matrix"
)

var update = flag.Bool("update", false, "write the sample runs anew")

// samples is the folder of stored runs that the scripts look at: "ship", whose
// checks all passed, "hold", in which one failed, and "killed", which was
// killed while it wrote an answer.
const samples = "testdata/runs"

// TestSamples holds the stored runs against what makes them: a run of an older
// virtmatrix must stay readable, so a change here is a change of format.
func TestSamples(t *testing.T) {
	for name, files := range sampleRuns(t) {
		for file, want := range files {
			path := filepath.Join(samples, name, file)
			if *update {
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, want, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			got, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s is not what is written today; if the format changed on purpose, run the test with -update", path)
			}
		}
	}
}

// sampleRuns returns the files of the runs.
func sampleRuns(t *testing.T) map[string]map[string][]byte {
	t.Helper()
	p := samplePlan(t)
	var plan bytes.Buffer
	if err := p.Write(&plan); err != nil {
		t.Fatal(err)
	}
	all := sampleRecords(p)
	failed := all[2]
	failed.Verdict, failed.Layer, failed.Reason = matrix.Fail, matrix.LayerManagement, "cannot restore domain: the guest's ticks stopped"
	held := append(append([]journal.Record{}, all[:2]...), append([]journal.Record{failed}, all[3:]...)...)
	whole := lines(t, all)
	killed := whole[:bytes.Index(whole, []byte("IX-BOOT"))]
	return map[string]map[string][]byte{
		"20260101-120000-smoke-ship":   {"plan.json": plan.Bytes(), "journal-1.ndjson": whole},
		"20260101-130000-smoke-hold":   {"plan.json": plan.Bytes(), "journal-1.ndjson": lines(t, held)},
		"20260101-140000-smoke-killed": {"plan.json": plan.Bytes(), "journal-1.ndjson": killed},
	}
}

func samplePlan(t *testing.T) *matrix.Plan {
	t.Helper()
	set := func(release, name, version string) matrix.PackageSet {
		return matrix.PackageSet{Source: "apt", Release: release, Packages: []matrix.Package{{Name: name, Version: version, Arch: "amd64", SHA256: "00"}}}
	}
	host, emulator := set("bookworm", "libvirt-daemon", "9.0.0-4+deb12u2"), set("bookworm", "qemu-system-x86", "1:7.2+dfsg-7+deb12u16")
	cell := func(kind matrix.Kind, role string, checks []matrix.PlannedCheck, versions ...string) matrix.Cell {
		c := matrix.Cell{Kind: kind, Tier: matrix.Nested, Composition: matrix.Native, Userland: "bookworm", Checks: checks}
		for i, comp := range kind.Components() {
			c.Stack = append(c.Stack, matrix.Choice{Component: comp, Version: versions[i], Release: "bookworm", Package: versions[i] + ".0-1"})
		}
		c.ID = matrix.CellID(kind, matrix.Nested, c.Stack, nil)
		c.Images = []matrix.ImageRef{{Role: role, Release: "bookworm", Packages: host.Key()}}
		return c
	}
	p := &matrix.Plan{
		Version: matrix.PlanVersion, Profile: "smoke",
		Emulator:    matrix.ImageRef{Role: "qemu", Release: "bookworm", Packages: emulator.Key()},
		PackageSets: map[string]matrix.PackageSet{host.Key(): host, emulator.Key(): emulator},
		Cells: []matrix.Cell{
			cell(matrix.KVM, "userland-kvm", []matrix.PlannedCheck{
				{ID: "IK-BOOT", Family: "inbound/kernel", Tier: matrix.Nested, Boot: true},
				{ID: "O-START", Family: "outbound/lifecycle", Tier: matrix.Nested},
				{ID: "O-SAVE", Family: "outbound/save", Tier: matrix.Nested},
			}, "6.1", "7.2", "9.0"),
			cell(matrix.Xen, "userland-xen", []matrix.PlannedCheck{
				{ID: "IX-BOOT", Family: "inbound/xen", Tier: matrix.Nested, Boot: true},
				{ID: "O-SAVE", Family: "outbound/save", Tier: matrix.Nested, Unsupported: "libxl cannot save this guest"},
			}, "6.1", "4.17", "9.0"),
		},
	}
	if err := p.Seal(); err != nil {
		t.Fatal(err)
	}
	return p
}

// sampleRecords answers every check of the plan with a pass.
func sampleRecords(p *matrix.Plan) []journal.Record {
	var records []journal.Record
	at := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	for _, c := range p.Cells {
		for _, check := range c.Checks {
			if check.Unsupported != "" {
				continue
			}
			records = append(records, journal.Record{
				Plan: p.Hash, Cell: c.ID, Check: check.ID, Tier: check.Tier, Verdict: matrix.Pass, Attempts: 1,
				Started: at, Seconds: 10, GuestSeconds: 8, Harness: "v0.1.0",
				Accelerators: map[string]string{"L1": "tcg"}, Emulator: "qemu 1:7.2+dfsg-7+deb12u16",
				Repeat: "bin/virtmatrix repro " + c.ID + " " + check.ID,
			})
			at = at.Add(15 * time.Second)
		}
	}
	return records
}

// lines is the journal of a process that gave these answers and ended.
func lines(t *testing.T, records []journal.Record) []byte {
	t.Helper()
	text, err := chained(records)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func chained(records []journal.Record) ([]byte, error) {
	dir, err := os.MkdirTemp("", "journal-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	w, err := journal.Open(dir, 1)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(w.AppendAll(records), w.Close()); err != nil {
		return nil, err
	}
	return os.ReadFile(filepath.Join(dir, "journal-1.ndjson"))
}
