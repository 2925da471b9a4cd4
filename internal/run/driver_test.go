package run

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/virtmatrix/virtmatrix/internal/admit"
	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/internal/layout"
	"github.com/virtmatrix/virtmatrix/internal/owner"
	"github.com/virtmatrix/virtmatrix/internal/probe"
	"github.com/virtmatrix/virtmatrix/internal/progress"
	"github.com/virtmatrix/virtmatrix/internal/store"
	"github.com/virtmatrix/virtmatrix/matrix"
)

func TestWhereADriverWorks(t *testing.T) {
	t.Setenv("VIRTMATRIX_HOME", "/env/home")
	t.Setenv(RuntimeEnv, "")
	for name, tc := range map[string]struct {
		env           string
		given         Config
		home, runtime string
	}{
		"defaults":                      {"", Config{}, "/env/home", DefaultRuntime},
		"environment":                   {"/env/run", Config{}, "/env/home", "/env/run"},
		"given is over the environment": {"/env/run", Config{Home: "/h", Runtime: "/r"}, "/h", "/r"},
	} {
		t.Setenv(RuntimeEnv, tc.env)
		c := tc.given.withDefaults()
		if c.Home != tc.home || c.Runtime != tc.runtime {
			t.Errorf("%s: %s and %s, want %s and %s", name, c.Home, c.Runtime, tc.home, tc.runtime)
		}
		c.Events(progress.Event{}) // nobody listens, and nobody minds
	}
}

func newDriver(t *testing.T) *Driver {
	t.Helper()
	d, err := Open(Config{Home: t.TempDir(), Runtime: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestOpenRemovesWhatKilledRunsLeft(t *testing.T) {
	home, runtime := t.TempDir(), t.TempDir()
	left := []string{filepath.Join(runtime, "vm-1"), filepath.Join(Scratch(home), "vm-2")}
	for _, dir := range left {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, ".owner"), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	torn := filepath.Join(Snapshots(home), ".draft-kvm-0123456789abcdef")
	if err := os.MkdirAll(torn, 0o755); err != nil {
		t.Fatal(err)
	}
	d, err := Open(Config{Home: home, Runtime: runtime})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(left, d.Swept); diff != "" {
		t.Error(diff)
	}
	if _, err := os.Stat(torn); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("half a snapshot is still there: %v", err)
	}
	for _, dir := range []string{runtime, Scratch(home)} {
		if still, _ := os.ReadDir(dir); len(still) != 0 {
			t.Errorf("still there: %v", still)
		}
	}
}

func TestAHostThatWasNotClosedIsSeen(t *testing.T) {
	d := newDriver(t)
	f, err := owner.NewFolder(d.Runtime(), host.FolderPrefix)
	if err != nil {
		t.Fatal(err)
	}
	if left := d.Left(); len(left) != 1 || left[0] != f.Path {
		t.Errorf("Left = %v, want %s", left, f.Path)
	}
	if err := f.Remove(); err != nil {
		t.Fatal(err)
	}
	if left := d.Left(); len(left) != 0 {
		t.Errorf("Left = %v after it was", left)
	}
}

func ref(role, release string) matrix.ImageRef {
	return matrix.ImageRef{Role: role, Release: release, Packages: "set-" + role + "-" + release}
}

func twoCells() *matrix.Plan {
	asked := []matrix.PlannedCheck{{ID: "O-CONN"}}
	return &matrix.Plan{
		Emulator: ref("qemu", "bookworm"),
		Cells: []matrix.Cell{
			{ID: "a", Checks: asked, Images: []matrix.ImageRef{ref("userland-kvm", "bookworm"), ref("kernel-cloud", "bookworm")}},
			{ID: "b", Checks: asked, Images: []matrix.ImageRef{ref("userland-kvm", "bookworm"), ref("kernel-cloud", "trixie"), ref("qemu", "bookworm"), ref("qemu", "trixie")}},
			{ID: "c", Checks: []matrix.PlannedCheck{{ID: "O-CONN", AskedIn: "a"}}, Images: []matrix.ImageRef{ref("qemu", "sid")}},
		},
	}
}

func TestEachImageIsBuiltOnceAndTheEmulatorFirst(t *testing.T) {
	want := []matrix.ImageRef{
		ref("qemu", "bookworm"), ref("userland-kvm", "bookworm"), ref("kernel-cloud", "bookworm"), ref("kernel-cloud", "trixie"), ref("qemu", "trixie"),
	}
	if diff := cmp.Diff(want, refsOf(twoCells())); diff != "" {
		t.Error(diff)
	}
}

func TestTheEmulatorOfAPlan(t *testing.T) {
	plan := twoCells()
	plan.PackageSets = map[string]matrix.PackageSet{
		plan.Emulator.Packages: {Packages: []matrix.Package{{Name: "qemu-system-x86", Version: "1:7.2+dfsg-7+deb12u16"}}},
	}
	images := &Images{byRef: map[matrix.ImageRef]store.Image{plan.Emulator: {Dir: "/store/qemu-bookworm-1"}}}
	em := newDriver(t).emulator(plan, images)
	if em.Usr != "/store/qemu-bookworm-1/usr.squashfs" || em.Version != "1:7.2+dfsg-7+deb12u16" || !strings.HasPrefix(em.Machine, "pc-q35-") {
		t.Errorf("emulator %+v", em)
	}
	for _, kind := range []matrix.Kind{matrix.KVM, matrix.Xen} {
		if !strings.HasPrefix(em.CPU[kind], "max,") {
			t.Errorf("processor of a %s host: %q", kind, em.CPU[kind])
		}
	}
}

func TestTheMachineTellsWhichSnapshotsFitAHost(t *testing.T) {
	h := &Hosts{driver: newDriver(t), traits: map[string]string{"kvm": "nested=0"}}
	if got := h.settings(&twoCells().Cells[0], matrix.Hosts{}, 0).Machine; !maps.Equal(got, h.traits) {
		t.Errorf("a host is told of the machine %v, want %v", got, h.traits)
	}
}

func TestFilesOfAnImageGoByItsRole(t *testing.T) {
	plan := twoCells()
	images := &Images{byRef: map[matrix.ImageRef]store.Image{
		ref("kernel-cloud", "bookworm"): {Dir: "/store/k6.1"}, ref("kernel-cloud", "trixie"): {Dir: "/store/k6.12"},
		ref("qemu", "bookworm"): {Dir: "/store/q7.2"},
	}}
	a, b := &plan.Cells[0], &plan.Cells[1]
	for _, tc := range []struct{ got, want string }{
		{images.file(a, "vmlinuz", "kernel-cloud", "kernel-full"), "/store/k6.1/vmlinuz"},
		{images.file(b, "vmlinuz", "kernel-full", "kernel-cloud"), "/store/k6.12/vmlinuz"},
		{images.file(a, "usr.squashfs", "qemu"), ""},
		{images.file(b, "usr.squashfs", "qemu"), "/store/q7.2/usr.squashfs"},
	} {
		if tc.got != tc.want {
			t.Errorf("file %q, want %q", tc.got, tc.want)
		}
	}
}

func TestAPlanThatIsNotResolvedIsRefused(t *testing.T) {
	cat, err := matrix.Default()
	if err != nil {
		t.Fatal(err)
	}
	plan, err := matrix.New(cat, matrix.Request{Profile: matrix.DefaultProfile})
	if err != nil {
		t.Fatal(err)
	}
	_, err = newDriver(t).Build(context.Background(), cat, plan)
	if v, _ := fault.Classify(err); v != matrix.Infra || !strings.Contains(err.Error(), "plan again") {
		t.Errorf("Build = %v, want a refusal with its cure", err)
	}
}

func TestRealProgramsAreBuiltFromSource(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles four programs; leave -short out to run it")
	}
	dir := t.TempDir()
	built, err := Programs(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for name, path := range built {
		names = append(names, name)
		if st, err := os.Stat(path); err != nil || st.Mode()&0o111 == 0 {
			t.Errorf("%s is no program: %v", path, err)
		}
	}
	slices.Sort(names)
	if diff := cmp.Diff([]string{"l1init", probe.Program, "l2init", "launch"}, names); diff != "" {
		t.Error(diff)
	}
}

func TestOutsideOfACheckoutIsSaidSo(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("GOFLAGS", "")
	if _, err := ModuleRoot(t.Context()); err == nil || !strings.Contains(err.Error(), "run from a checkout of virtmatrix") {
		t.Errorf("ModuleRoot = %v", err)
	}
	if rev := Revision(t.Context()); rev != "unknown" {
		t.Errorf("Revision = %q", rev)
	}
}

func TestAnotherCatalogueIsReadFromItsFolder(t *testing.T) {
	if _, err := Catalog(t.TempDir(), t.TempDir()); err == nil {
		t.Error("an empty folder is a catalogue")
	}
	if _, err := Catalog("", t.TempDir()); err != nil {
		t.Error(err)
	}
}

func TestWhatHostsNeed(t *testing.T) {
	machine, contained := &matrix.Cell{ID: "kvm_x", Tier: matrix.Nested}, &matrix.Cell{Tier: matrix.Container}
	nested, container := need(machine, matrix.Hosts{}, "/home"), need(contained, matrix.Hosts{}, "/home")
	if nested.MemoryMB <= hostMemoryMB || nested.Processors != 1 || nested.What != "a host of kvm_x" {
		t.Errorf("a machine needs %+v", nested)
	}
	if container.MemoryMB >= hostMemoryMB || container.Processors != 1 || container.Disk != "/home" || container.DiskMB != 1024 {
		t.Errorf("a container needs %+v", container)
	}
	both := []matrix.Cell{{Tier: matrix.Nested}, {Tier: matrix.Container}}
	for i, want := range []admit.Need{nested, container} {
		fit, err := Fits(t.Context(), t.TempDir(), both[:i+1]...)
		if err != nil || fit.Need.MemoryMB != want.MemoryMB {
			t.Errorf("of %d cells those are counted that need %d MiB (%v), want %d", i+1, fit.Need.MemoryMB, err, want.MemoryMB)
		}
	}
}

func TestACellThatWantsWhatItsImageLacksIsRefused(t *testing.T) {
	lacks := host.Parts{Layout: layout.Manifest{Image: "userland-kvm-bookworm-1"}}
	has := lacks
	has.Layout.Firmware = []layout.Firmware{{Code: "/c", Vars: "/v", Format: "raw"}}
	cell := &matrix.Cell{ID: "kvm_x", Settings: []matrix.Setting{{Axis: "firmware", Value: "bios"}}}
	if err := wantsFirmware(cell, lacks); err != nil {
		t.Errorf("guests with a BIOS: %v", err)
	}
	cell.Settings[0].Value = "uefi"
	if err := wantsFirmware(cell, has); err != nil {
		t.Errorf("there is firmware: %v", err)
	}
	err := wantsFirmware(cell, lacks)
	if v, _ := fault.Classify(err); v != matrix.Infra || !strings.Contains(err.Error(), "compose kvm_x: image userland-kvm-bookworm-1 has no UEFI firmware") {
		t.Errorf("there is none: %v", err)
	}
}

func TestACellThatIsAskedNothingHasNoHost(t *testing.T) {
	asked := []matrix.PlannedCheck{{ID: "S-XENLIBS"}}
	plan := &matrix.Plan{Cells: []matrix.Cell{
		{ID: "left to others", Checks: []matrix.PlannedCheck{{ID: "S-XENLIBS", AskedIn: "another"}}}, {ID: "refused", Refused: "by the solver", Checks: asked}, {ID: "asked", Checks: asked},
	}}
	if got := firstHosted(plan); got != 2 {
		t.Errorf("the first cell with a host is %d, want the one that is asked", got)
	}
	plan.Cells = plan.Cells[:2]
	if got := firstHosted(plan); got != -1 {
		t.Errorf("a plan without hosts has one: %d", got)
	}
}
