package reports

import (
	"fmt"
	"strings"
	"testing/fstest"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/journal"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/reports/known"
)

var noon = time.Date(2025, 11, 21, 12, 0, 0, 0, time.UTC)

// stack makes a cell of a plan from component, version pairs.
func stack(kind matrix.Kind, composition matrix.Composition, release string, versions ...string) matrix.Cell {
	c := matrix.Cell{Kind: kind, Tier: matrix.Nested, Composition: composition, Userland: release}
	for i, comp := range kind.Components() {
		c.Stack = append(c.Stack, matrix.Choice{
			Component: comp, Version: versions[i], Release: release, Package: versions[i] + ".1-1",
		})
	}
	c.ID = matrix.CellID(kind, matrix.Nested, c.Stack, nil)
	c.Images = []matrix.ImageRef{{Role: "userland-" + string(kind), Release: release, Packages: "set-" + release}}
	return c
}

// ask plans checks on a cell.
func ask(c matrix.Cell, checks ...string) matrix.Cell {
	for _, id := range checks {
		c.Checks = append(c.Checks, matrix.PlannedCheck{ID: id, Family: family[id], Tier: matrix.Nested, Relied: relied[id]})
	}
	return c
}

// family has the families of the sample's checks.
var family = map[string]string{
	"IK-BOOT": "inbound/kernel", "IK-KVM": "inbound/kernel", "IQ-QMP": "inbound/qemu", "IX-BOOT": "inbound/xen", "IX-PV": "inbound/xen",
	"O-CONN": "outbound/connection", "O-START": "outbound/lifecycle", "O-SAVE": "outbound/save",
}

// relied has who relies on the sample's checks.
var relied = map[string][]matrix.Reliance{
	"O-CONN": {{Consumer: "vdsm", On: "a ping"}},
	"O-SAVE": {{Consumer: "vdsm", On: "save to a file"}, {Consumer: "vdsm", On: "restore, paused"}, {Consumer: "nova", On: "managedSave"}},
}

// plan makes a plan of cells. Its hash is fixed, so that the golden files do
// not depend on how plans are hashed.
func plan(cells ...matrix.Cell) *matrix.Plan {
	p := &matrix.Plan{Version: matrix.PlanVersion, Profile: "smoke", Cells: cells, PackageSets: map[string]matrix.PackageSet{}}
	for _, c := range cells {
		p.PackageSets["set-"+c.Userland] = matrix.PackageSet{Source: "apt", Release: c.Userland, Packages: []matrix.Package{
			{Name: "libc6", Version: "2.36-9", Arch: "amd64"},
			{Name: "libvirt-daemon", Version: "9.0.0-4+deb12u2", Arch: "amd64"},
			{Name: "qemu-system-x86", Version: "1:7.2+dfsg-7", Arch: "amd64"},
		}}
	}
	p.Hash = strings.Repeat("5eedc0de", 8)
	return p
}

// record answers one question of a plan with a plain record.
func record(p *matrix.Plan, cell, check string, v matrix.Verdict) journal.Record {
	return journal.Record{
		Plan: p.Hash, Cell: cell, Check: check, Tier: matrix.Nested, Verdict: v, Attempts: 1,
		Started: noon, Seconds: 12.5, GuestSeconds: 10, Harness: "v0.1.0-3-gabcdef0",
		Accelerators: map[string]string{"L1": "tcg", "L2": "kvm"}, Emulator: "qemu 1:7.2+dfsg-7",
		Repeat: fmt.Sprintf("virtmatrix repro -cell %s -check %s", cell, check),
	}
}

const token = "token=4f1c kernel=6.1.0-37 hypervisor=KVMKVMKVM"

// sample is a run with every kind of trouble: what the golden files show.
func sample() *Matrix {
	checks := []string{"IK-BOOT", "IK-KVM", "IQ-QMP", "O-CONN", "O-START", "O-SAVE"}
	old := ask(stack(matrix.KVM, matrix.Native, "bookworm", "6.1", "7.2", "9.0"), checks...)
	young := ask(stack(matrix.KVM, matrix.Native, "trixie", "6.12", "10.0", "11.3"), checks...)
	mixed := ask(stack(matrix.KVM, matrix.Bundled, "bookworm", "6.12", "10.0", "9.0"), checks...)
	xen := ask(stack(matrix.Xen, matrix.Native, "bookworm", "6.1", "4.17", "9.0"), "IX-BOOT", "IX-PV", "O-CONN", "O-START", "O-SAVE")
	mixed.Checks[2].AskedIn = young.ID // it has the same qemu
	xen.Checks[4].Unsupported = "the libxl driver of libvirt 9.0 cannot save a PV guest"
	young.Baseline = mixed.ID
	p := plan(old, young, mixed, xen)
	p.Change = &matrix.Change{Axis: "libvirt", From: "9.0", To: "11.3"}

	var records []journal.Record
	at := noon
	add := func(cell matrix.Cell, check string, v matrix.Verdict, change func(*journal.Record)) {
		r := record(p, cell.ID, check, v)
		r.Started = at
		at = at.Add(15 * time.Second)
		if change != nil {
			change(&r)
		}
		records = append(records, r)
	}
	for _, check := range checks {
		add(old, check, matrix.Pass, func(r *journal.Record) { r.Said = []string{token, "tick 1", "tick 2"} })
	}
	for _, check := range checks[:5] {
		add(young, check, matrix.Pass, func(r *journal.Record) {
			if check == "O-START" {
				r.Attempts = 2
			}
		})
	}
	failed := func(r *journal.Record) {
		r.Layer = matrix.LayerManagement
		r.Reason = "cannot restore domain: internal error: unable to execute QEMU command 'cont':\nmigration stream has <unknown> section | \x1b[31mbad\x1b[0m"
		r.Evidence = "evidence/" + r.Cell + "/" + r.Check
		r.Notes = []string{"the saved image is 61 MiB"}
	}
	add(young, "O-SAVE", matrix.Fail, failed)
	for i, check := range checks[:5] {
		if mixed.Checks[i].Asked() {
			add(mixed, check, matrix.Pass, nil)
		}
	}
	add(mixed, "O-SAVE", matrix.Fail, failed)
	add(xen, "IX-BOOT", matrix.Pass, func(r *journal.Record) { r.Quirks = []string{"cpu_map without vme (tcg, xen)"} })
	add(xen, "IX-PV", matrix.Infra, func(r *journal.Record) {
		r.Layer, r.Reason = matrix.LayerHarness, "cannot start guest: no space left on device"
	})
	add(xen, "O-CONN", matrix.Blocked, func(r *journal.Record) {
		r.Layer, r.BlockedBy, r.Reason = matrix.LayerManagement, "IX-PV", "libvirtd was never started"
	})
	damage := journal.Damage{{File: "journal-1.ndjson", Line: 18, Torn: true, Problem: "the line ends in the middle of a record"}}
	m := Judge(p, records, damage)
	m.Apply(rules(sampleIssue), noon)
	h := NewHistory()
	for i, passed := range []bool{true, true, false, true, false, false} {
		tally := m.Tally()
		if passed {
			for _, cell := range tally {
				cell.Passed, cell.Failed = cell.Failed, ""
			}
		}
		h.Add(fmt.Sprintf("202511%02d-010000-nightly", 14+i), tally)
	}
	m.Remember(h, "20251120-010000-nightly")
	m.Find()
	m.Rebase = Rebased(m)
	d := Gate(m, DefaultPolicy(), noon)
	m.Decision = &d
	return m
}

// sampleIssue is what is known of the sample.
const sampleIssue = `
- id: restore-section
  checks: [O-SAVE]
  where: {qemu: ">= 10.0", libvirt: "<= 9.0"}
  text: migration stream has <unknown> section
  says: libvirt 9.0 cannot restore what <qemu> 10.0 saved
  tracker: docs/findings.md#save
  owner: virt-sig
  expires: 2026-05-31
`

// rules are those of some issues.
func rules(issues string) *known.Rules { return ruled(issues, "") }

func ruled(issues, waivers string) *known.Rules {
	cat, err := matrix.Default()
	if err != nil {
		panic(err)
	}
	r, err := known.Read(cat, known.File{Name: "known.yaml", Text: []byte("version: 1\nissues:\n" + issues)},
		known.File{Name: "waivers.yaml", Text: []byte("version: 1\nwaivers:\n" + waivers)})
	if err != nil {
		panic(err)
	}
	return r
}

// sampleEvidence is the run directory of the sample.
func sampleEvidence() fstest.MapFS {
	const dir = "evidence/kvm_linux-6.12_qemu-10.0_libvirt-11.3/O-SAVE/"
	return fstest.MapFS{
		dir + "console.log":  {Data: []byte("[    0.000000] Linux version 6.12\r\n[    1.5] \x1b[1mvirtmatrix l2\x1b[0m ready\r\n")},
		dir + "libvirtd.log": {Data: []byte("error : qemuProcessReportLogError: unknown section\n")},
		dir + "core":         {Data: make([]byte, 4096)},
	}
}
