package run

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/virtmatrix/virtmatrix/fixtures"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/internal/accel"
	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/internal/layout"
	"github.com/virtmatrix/virtmatrix/internal/machine"
	"github.com/virtmatrix/virtmatrix/internal/owner"
	"github.com/virtmatrix/virtmatrix/internal/snapshot"
	"github.com/virtmatrix/virtmatrix/internal/store"
	"github.com/virtmatrix/virtmatrix/internal/store/disk"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// Hosts boots the hosts of a plan's cells.
type Hosts struct {
	driver   *Driver
	plan     *matrix.Plan
	images   *Images
	programs map[string]string
	folder   *owner.Folder
	emulator host.Emulator
	probed   accel.Result
	// traits are what of the machine hosts depend on.
	traits map[string]string
	// sums are the SHA-256 of all that hosts are made of, by path.
	sums map[string]string
	// media are what cells' machines boot from, by cell.
	media map[string]store.Image
	// Snapshots keeps the states of ready hosts; nil boots each host.
	Snapshots *snapshot.Store

	supplies *supplies
}

// supplies are the folders of packages that hosts get, by the keys of their root's packages
// before and after.
type supplies struct {
	sync.Mutex
	folders map[[2]string]*owner.Folder
}

// Hosts prepares to boot: it builds the guests' programs and finds out, by
// booting, what accelerates L1 here.
func (d *Driver) Hosts(ctx context.Context, plan *matrix.Plan, images *Images) (_ *Hosts, err error) {
	folder, err := owner.NewFolder(d.config.Runtime, "bin-")
	if err != nil {
		return nil, fault.Infraf("prepare hosts", "%w", err)
	}
	h := &Hosts{
		supplies: &supplies{folders: map[[2]string]*owner.Folder{}},
		driver:   d, plan: plan, images: images, folder: folder, sums: images.sums(), Snapshots: snapshot.In(Snapshots(d.config.Home)),
	}
	defer func() {
		if err != nil {
			h.Close()
		}
	}()
	if h.programs, err = Programs(ctx, folder.Path); err != nil {
		return nil, err
	}
	for _, path := range h.programs {
		if h.sums[path], _, err = disk.Digest(path); err != nil {
			return nil, fault.Infraf("prepare hosts", "%w", err)
		}
	}
	h.emulator = d.emulator(plan, images)
	if h.emulator.Program, err = images.layouts[plan.Emulator].Program(layout.Emulator); err != nil {
		return nil, fault.Infraf("prepare hosts", "%w", err)
	}
	if err := h.makeMedia(ctx); err != nil {
		return nil, err
	}
	first := firstHosted(plan)
	if first < 0 {
		return h, nil // no host of the plan can be
	}
	guest, err := h.guest(&plan.Cells[first])
	if err != nil {
		return nil, err
	}
	h.probed, err = accel.Probe{
		Emulator: h.emulator, Guest: guest,
		Runtime: d.config.Runtime, Cache: accelCache(d.config.Home),
	}.Run(ctx)
	if err != nil {
		return nil, err
	}
	if err := countsTruly(plan, h.probed); err != nil {
		return nil, err
	}
	if h.traits, err = machine.HostTraits(ctx, h.probed.Accel == accel.KVM); err != nil {
		return nil, fault.Infraf("prepare hosts", "%w", err)
	}
	return h, nil
}

// firstHosted is the first cell of a plan that has a host, -1 when none has: of those that
// are asked nothing there are no images.
func firstHosted(plan *matrix.Plan) int {
	return slices.IndexFunc(plan.Cells, func(c matrix.Cell) bool { return c.Refused == "" && c.Asked() > 0 })
}

// Probe finds out what accelerates L1 here, unless it is known since the machine
// booted. It makes sure of the plan's images for it.
func (d *Driver) Probe(ctx context.Context, cat *matrix.Catalog, plan *matrix.Plan) (accel.Result, error) {
	images, err := d.Build(ctx, cat, plan)
	if err != nil {
		return accel.Result{}, err
	}
	hosts, err := d.Hosts(ctx, plan, images)
	if err != nil {
		return accel.Result{}, err
	}
	return hosts.Accel(), hosts.Close()
}

// emulator describes the L0 emulator of a plan, but for its program. Only machines that
// boot by UEFI want its firmware.
func (d *Driver) emulator(plan *matrix.Plan, images *Images) host.Emulator {
	var version string
	if recipe, err := d.recipes.Recipe(plan.Emulator.Role, plan.Emulator.Release); err == nil {
		version, _ = recipe.LeadVersion(matrix.QEMU, plan.PackageSets[plan.Emulator.Packages])
	}
	firmware, _ := images.layouts[plan.Emulator].UEFI()
	return host.Emulator{
		Firmware: firmware,
		Usr:      images.byRef[plan.Emulator].Path(fixtures.UsrFile),
		Version:  version,
		Machine:  "pc-q35-7.2",
		// qemu 7.2 emulates cmpxchg16b wrongly, which crashes kernels from 6.12
		// on in one of four boots. Under Xen, dom0 dies when smap is there, and
		// with xsave the vector registers of dom0's processes are mixed up with
		// a guest's once in a million copies: daemons and tools crash at random.
		// RDTSCP leaves a guest with RDTSC's code, of which Xen sees that it is
		// another instruction and ends the guest ("Insn mismatch"): PVH boots only
		// without it, unless its TSC is native.
		CPU: map[matrix.Kind]string{matrix.KVM: "max,cx16=off", matrix.Xen: "max,cx16=off,smap=off,smep=off,xsave=off,rdtscp=off"},
	}
}

// Accel is the accelerator of L1 and how this machine compares.
func (h *Hosts) Accel() accel.Result { return h.probed }

// Emulator is the L0 emulator.
func (h *Hosts) Emulator() host.Emulator { return h.emulator }

// turn waits until no other emulated host boots: two that do starve each other,
// and a kernel that calibrates its timers meanwhile may never come up.
func (h *Hosts) turn(ctx context.Context) (release func(), err error) {
	release, err = disk.Lock(ctx, filepath.Join(h.driver.config.Runtime, "boot.lock"))
	if err != nil {
		return nil, fault.Infraf("take turns at booting", "%w", err)
	}
	return release, nil
}

// Snapshots is the folder of the snapshots of ready hosts.
func Snapshots(home string) string { return filepath.Join(home, "snapshots") }

// Close removes what the hosts were prepared with.
func (h *Hosts) Close() error {
	err := h.folder.Remove()
	for _, f := range h.supplies.folders {
		err = errors.Join(err, f.Remove())
	}
	return err
}

func (h *Hosts) parts(cell *matrix.Cell) (host.Parts, error) {
	boot, dir, err := h.bootModules(cell)
	if err != nil {
		return host.Parts{}, err
	}
	guest, err := h.guest(cell)
	if err != nil {
		return host.Parts{}, err
	}
	parts := host.Parts{
		Kernel:      guest.Kernel,
		Modules:     h.images.file(cell, fixtures.ModulesFile, fixtures.KernelCloud, fixtures.KernelFull),
		BootModules: inDir(dir, boot.Host),
		Root:        h.images.file(cell, fixtures.RootFile, fixtures.UserlandKVM, fixtures.UserlandXen),
		QEMU:        h.images.file(cell, fixtures.UsrFile, fixtures.QEMU),
		Xen:         h.images.file(cell, "xen", fixtures.Xen),
		Agent:       h.programs["l1init"],
		Launcher:    h.programs["launch"],
		Tools:       h.tools(),
		Guest:       guest,
		Sums:        h.sums,
		Layout:      h.images.layout(cell, fixtures.UserlandKVM, fixtures.UserlandXen),
		Bundle:      h.images.layout(cell, fixtures.QEMU),
	}
	h.addMedium(cell, &parts)
	return parts, wantsFirmware(cell, parts)
}

// wantsFirmware says what guests of the cell lack to have the firmware that it says.
func wantsFirmware(cell *matrix.Cell, parts host.Parts) error {
	if v, ok := cell.Value(domain.Firmware); !ok || v != domain.UEFI {
		return nil
	}
	found, err := parts.Found()
	if err == nil {
		_, err = found.UEFI()
	}
	if err != nil {
		return fault.Infraf("compose "+cell.ID, "%w", err)
	}
	return nil
}

// tools are the programs of the checks, by name.
func (h *Hosts) tools() map[string]string {
	built := map[string]string{}
	for _, name := range tools {
		built[name] = h.programs[name]
	}
	return built
}

func (h *Hosts) guest(cell *matrix.Cell) (host.GuestParts, error) {
	boot, dir, err := h.bootModules(cell)
	if err != nil {
		return host.GuestParts{}, err
	}
	modules, err := boot.GuestModules(cell)
	if err != nil {
		return host.GuestParts{}, fault.Infraf("compose "+cell.ID, "%w", err)
	}
	return host.GuestParts{
		Kernel:  h.images.file(cell, "vmlinuz", fixtures.KernelCloud, fixtures.KernelFull),
		Init:    h.programs["l2init"],
		Modules: inDir(dir, modules),
		SCSI:    inDir(dir, boot.Disk["scsi"]),
		Later:   inDir(dir, boot.Later),
	}, nil
}

// bootModules reads which modules the cell's kernel needs early.
func (h *Hosts) bootModules(cell *matrix.Cell) (boot fixtures.Boot, dir string, err error) {
	path := h.images.file(cell, "boot.json", fixtures.KernelCloud, fixtures.KernelFull)
	b, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(b, &boot)
	}
	if err != nil {
		return boot, "", fault.Infraf("compose "+cell.ID, "%w", err)
	}
	return boot, filepath.Join(filepath.Dir(path), "boot"), nil
}

// KernelRelease is what uname -r prints under a cell's kernel.
func (h *Hosts) KernelRelease(cell *matrix.Cell) (string, error) {
	b, err := os.ReadFile(h.images.file(cell, "release", fixtures.KernelCloud, fixtures.KernelFull))
	if err != nil {
		return "", fault.Infraf("read kernel release", "%w", err)
	}
	return string(bytes.TrimSpace(b)), nil
}

func inDir(dir string, names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = filepath.Join(dir, n)
	}
	return out
}

// Store is the store of images.
func (d *Driver) Store() *store.Store { return d.store }
