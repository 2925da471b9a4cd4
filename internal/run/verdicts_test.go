package run

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/virtmatrix/virtmatrix/fixtures"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/internal/journal"
	"github.com/virtmatrix/virtmatrix/internal/verdict"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// resolved plans a profile with package sets of the given keys by image; others
// are called by role and release.
func resolved(t *testing.T, req matrix.Request, sets map[string]string) *matrix.Plan {
	t.Helper()
	plan, err := matrix.New(defaultCatalog(t), req)
	if err != nil {
		t.Fatal(err)
	}
	name := func(ref matrix.ImageRef) matrix.ImageRef {
		ref.Packages = ref.Role + " of " + ref.Release
		if key := sets[ref.Packages]; key != "" {
			ref.Packages = key
		}
		return ref
	}
	for i := range plan.Cells {
		refs, err := fixtures.Images(plan.Cells[i])
		if err != nil {
			t.Fatal(err)
		}
		for _, ref := range refs {
			plan.Cells[i].Images = append(plan.Cells[i].Images, name(ref))
		}
	}
	plan.Emulator = name(matrix.ImageRef{Role: "qemu", Release: "bookworm"})
	if err := plan.Seal(); err != nil {
		t.Fatal(err)
	}
	return plan
}

// newVerdicts is the cache in a folder as a plan sees it whose images are all
// built.
func newVerdicts(plan *matrix.Plan, dir string) *Verdicts {
	v := &Verdicts{
		store: verdict.In(dir), plan: plan, images: map[matrix.ImageRef]verdict.Image{}, accel: "tcg",
		emulator: host.Emulator{Machine: "pc-q35-7.2", CPU: map[matrix.Kind]string{matrix.KVM: "max"}},
		traits:   map[string]string{"kernel": "6.1"}, code: map[string]string{}, state: "now",
	}
	for _, c := range plan.Cells {
		for _, check := range c.Checks {
			v.code[check.Family] = "code of " + check.Family
		}
	}
	for _, ref := range refsOf(plan) {
		v.images[ref] = verdict.Image{Role: ref.Role, Key: ref.Packages, Content: "built of " + ref.Packages}
	}
	return v
}

// answerAll keeps an answer to everything that the plan asks: PASS, but for the
// checks that fail.
func answerAll(t *testing.T, v *Verdicts, fail ...string) {
	t.Helper()
	run := filepath.Join(t.TempDir(), "20261121-221000-full")
	for i := range v.plan.Cells {
		c := &v.plan.Cells[i]
		for _, check := range c.Checks {
			if !check.Asked() {
				continue
			}
			rec := journal.Ask(v.plan, c, check)
			rec.Verdict, rec.Attempts, rec.Seconds, rec.Harness = matrix.Pass, 1, 12, "v1"
			rec.Started = time.Date(2026, 11, 21, 22, 10, 0, 0, time.UTC)
			if slices.Contains(fail, check.ID) {
				rec.Verdict, rec.Layer, rec.Evidence = matrix.Fail, matrix.LayerKernel, filepath.Join("cells", c.ID, check.ID)
				text := filepath.Join(run, rec.Evidence, "reason.txt")
				if err := os.MkdirAll(filepath.Dir(text), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(text, []byte("it fails\n"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if err := v.Keep(rec, run); err != nil {
				t.Fatal(err)
			}
		}
	}
}

var wholeGrid = matrix.Request{Profile: "full", Cells: []string{"kvm"}, Checks: []string{"IK-BOOT", "O-CONN", "O-SAVE"}, Everywhere: true}

func TestOneChangedPackageSetMissesExactlyItsCells(t *testing.T) {
	dir := t.TempDir()
	before := newVerdicts(resolved(t, wholeGrid, nil), dir)
	answerAll(t, before)
	var want, missed []string
	const changed = "qemu of trixie"
	after := newVerdicts(resolved(t, wholeGrid, map[string]string{changed: "qemu of trixie, one package newer"}), dir)
	got := after.Recall("", "v2", nil)
	if len(got.Problems) != 0 {
		t.Fatal(got.Problems)
	}
	answered := journal.Answered(after.plan, got.Records)
	for i, c := range before.plan.Cells {
		if slices.ContainsFunc(c.Images, func(ref matrix.ImageRef) bool { return ref.Packages == changed }) {
			want = append(want, c.ID)
		}
		switch n := len(answered[after.plan.Cells[i].ID]); n {
		case 0:
			missed = append(missed, c.ID)
		case 3:
		default:
			t.Errorf("%s has %d answers", c.ID, n)
		}
	}
	if len(before.plan.Cells) < 60 || len(want) < 5 {
		t.Fatalf("of %d cells %d have qemu 10.0 from trixie as a bundle; that proves little", len(before.plan.Cells), len(want))
	}
	if diff := cmp.Diff(want, missed); diff != "" {
		t.Errorf("the cells that are asked again (-want +got):\n%s", diff)
	}
}

// pair is one cell with four checks.
var pair = matrix.Request{Profile: "smoke", Cells: []string{"kvm_linux-6.1_qemu-7.2_libvirt-9.0"}, Checks: []string{"IK-BOOT", "O-CONN", "O-START", "O-SAVE"}}

func TestWhatCarriesTheAnswerOutCounts(t *testing.T) {
	all := []string{"IK-BOOT", "O-CONN", "O-START", "O-SAVE"}
	for name, tc := range map[string]struct {
		other func(*Verdicts)
		want  []string
	}{
		"nothing else":          {func(*Verdicts) {}, all},
		"code of a family":      {func(v *Verdicts) { v.code["outbound/save"] = "new" }, []string{"IK-BOOT", "O-CONN", "O-START"}},
		"the accelerator":       {func(v *Verdicts) { v.accel = "kvm" }, nil},
		"the machine":           {func(v *Verdicts) { v.traits["kernel"] = "6.12" }, nil},
		"the L0 machine type":   {func(v *Verdicts) { v.emulator.Machine = "pc-q35-10.0" }, nil},
		"the L0 processor":      {func(v *Verdicts) { v.emulator.CPU[matrix.KVM] = "max,cx16=off" }, nil},
		"the L0 emulator":       {func(v *Verdicts) { v.images[v.plan.Emulator] = verdict.Image{Role: "qemu", Content: "other"} }, nil},
		"an image, built again": {func(v *Verdicts) { rebuild(v, v.plan.Cells[0].Images[0]) }, nil},
		"an image is not built": {func(v *Verdicts) { delete(v.images, v.plan.Cells[0].Images[1]) }, nil},
		"no emulator is built":  {func(v *Verdicts) { delete(v.images, v.plan.Emulator) }, nil},
		"another plan":          {func(v *Verdicts) { v.plan.Hash = "another" }, all},
		"another reason":        {func(v *Verdicts) { v.plan.Cells[0].Why = []string{"because"} }, all},
		"a check less":          {func(v *Verdicts) { v.plan.Cells[0].Checks = v.plan.Cells[0].Checks[:3] }, []string{"IK-BOOT", "O-CONN", "O-START"}},
		"a check is alone":      {func(v *Verdicts) { v.plan.Cells[0].Checks[0].Isolation = matrix.IsolateCheck }, []string{"O-CONN", "O-START", "O-SAVE"}},
		"another dependency":    {func(v *Verdicts) { v.plan.Cells[0].Checks[3].Depends = []string{"libvirt"} }, all},
		"asked in another cell": {func(v *Verdicts) { v.plan.Cells[0].Checks[3].AskedIn = "another" }, []string{"IK-BOOT", "O-CONN", "O-START"}},
	} {
		dir := t.TempDir()
		answerAll(t, newVerdicts(resolved(t, pair, nil), dir))
		v := newVerdicts(resolved(t, pair, nil), dir)
		tc.other(v)
		var got []string
		for _, r := range v.Recall("", "v2", nil).Records {
			got = append(got, r.Check)
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s (-want +got): %s", name, diff)
		}
	}
}

func TestWhatMakesContainersCountsForThemAlone(t *testing.T) {
	mixed := func(t *testing.T, dir string) *Verdicts {
		v := newVerdicts(resolved(t, pair, nil), dir)
		v.docker, v.contained = "Docker 20.10.24", map[string]string{"control groups": "0x63677270"}
		twin := v.plan.Cells[0]
		twin.ID, twin.Tier, twin.Checks = twin.ID+"_tier-container", matrix.Container, twin.Checks[1:2]
		v.plan.Cells = append(v.plan.Cells, twin)
		return v
	}
	for name, tc := range map[string]struct {
		other             func(*Verdicts)
		nested, container int
	}{
		"nothing else":       {func(*Verdicts) {}, 4, 1},
		"another Docker":     {func(v *Verdicts) { v.docker = "Docker 26.1" }, 4, 0},
		"no Docker":          {func(v *Verdicts) { v.docker = "" }, 4, 0},
		"control groups":     {func(v *Verdicts) { v.contained["control groups"] = "0x27e0eb" }, 4, 0},
		"the L0 emulator":    {func(v *Verdicts) { v.images[v.plan.Emulator] = verdict.Image{Content: "other"} }, 0, 1},
		"the L0 kernel":      {func(v *Verdicts) { v.traits["kernel"] = "6.12" }, 0, 0},
		"another userland":   {func(v *Verdicts) { rebuild(v, v.plan.Cells[1].Images[0]) }, 0, 0},
		"the accelerator":    {func(v *Verdicts) { v.accel = "kvm" }, 0, 0},
		"the code of checks": {func(v *Verdicts) { v.code["outbound/connection"] = "new" }, 3, 0},
	} {
		dir := t.TempDir()
		answerAll(t, mixed(t, dir))
		v := mixed(t, dir)
		tc.other(v)
		got := journal.Answered(v.plan, v.Recall("", "v2", nil).Records)
		if nested, contained := len(got[v.plan.Cells[0].ID]), len(got[v.plan.Cells[1].ID]); nested != tc.nested || contained != tc.container {
			t.Errorf("%s: %d nested and %d contained answers, want %d and %d", name, nested, contained, tc.nested, tc.container)
		}
	}
}

func rebuild(v *Verdicts, ref matrix.ImageRef) {
	img := v.images[ref]
	img.Content = "built again"
	v.images[ref] = img
}

func TestOnlyAnswersOfTheCodeThatWasCompiledAreKept(t *testing.T) {
	v := &Verdicts{state: "now"}
	for before, want := range map[string]string{"now": "", "then": "the code was changed", "": "nothing tells what code"} {
		err := v.compiledOf(before)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("compiled of %q: %v", before, err)
		}
	}
}

func TestTheCodeThatAnswersIsAllThereIs(t *testing.T) {
	root, err := ModuleRoot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	tree, families, err := readCode(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	v := &Verdicts{code: map[string]string{}}
	if err := v.readCode(t.Context(), root); err != nil {
		t.Fatal(err)
	}
	if v.state != tree.State() || len(v.code) != len(families) || v.code["inbound/kernel"] == v.code["outbound/save"] {
		t.Errorf("state %s of %s, code %v", v.state, tree.State(), v.code)
	}
	// What guests run, what boots them, and what asks.
	for _, p := range []string{"internal/agent/l1init", "fixtures/l2/init", "internal/host", "suites/cell", "fixtures/domain", "internal/console"} {
		if _, err := tree.Version(p); err != nil {
			t.Error(err)
		}
	}
	// What judges does not count.
	for _, p := range []string{"reports", "ci/virtmatrix"} {
		if _, err := tree.Version(p); err == nil {
			t.Errorf("%s is part of what answers", p)
		}
	}
}

func TestNothingIsLookedUpBeforeItIsKnownWhatRunsHosts(t *testing.T) {
	d, err := Open(Config{Home: t.TempDir(), Runtime: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if v, err := d.Verdicts(t.Context(), resolved(t, wholeGrid, nil), "../.."); !errors.Is(err, ErrNotProbed) {
		t.Errorf("Verdicts = %v, %v", v, err)
	}
}
