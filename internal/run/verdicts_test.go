package run

import (
	"errors"
	"maps"
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
// built, on a machine that runs both tiers.
func newVerdicts(plan *matrix.Plan, dir string) *Verdicts {
	v := &Verdicts{
		store: verdict.In(dir), plan: plan, images: map[matrix.ImageRef]string{},
		machine: map[matrix.Tier]map[string]string{matrix.Nested: {"kernel": "6.1"}, matrix.Container: {"kernel": "6.1", "Docker": "20.10.24"}},
		code:    map[string]string{}, state: "now",
	}
	for _, ref := range refsOf(plan) {
		v.images[ref] = "built of " + ref.Packages
	}
	return v
}

// answerAll keeps an answer to everything that the plan asks: PASS, but for the
// checks that fail.
func answerAll(t *testing.T, v *Verdicts, fail ...string) {
	t.Helper()
	for i := range v.plan.Cells {
		c := &v.plan.Cells[i]
		for _, check := range c.Checks {
			if check.Unsupported != "" {
				continue
			}
			rec := journal.Ask(v.plan, c, check)
			rec.Verdict, rec.Attempts, rec.Seconds, rec.Harness, rec.Evidence = matrix.Pass, 1, 12, "v1", "cells/"+c.ID
			rec.Started = time.Date(2026, 11, 21, 22, 10, 0, 0, time.UTC)
			if slices.Contains(fail, check.ID) {
				rec.Verdict, rec.Reason = matrix.Fail, "it fails\nin many words"
			}
			if err := v.Keep(rec, "runs/20261121-221000-full"); err != nil {
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
	found, problems := after.Recall(nil)
	if len(problems) != 0 {
		t.Fatal(problems)
	}
	answered := journal.Answered(after.plan, found)
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
		"another plan":          {func(v *Verdicts) { v.plan.Hash = "another" }, all},
		"code of its family":    {func(v *Verdicts) { v.code["outbound/save"] = "new" }, all[:3]},
		"code of another one":   {func(v *Verdicts) { v.code["outbound/storage"] = "new" }, all},
		"the machine":           {func(v *Verdicts) { v.machine[matrix.Nested]["kernel"] = "6.12" }, nil},
		"nothing runs hosts":    {func(v *Verdicts) { delete(v.machine, matrix.Nested) }, nil},
		"another Docker":        {func(v *Verdicts) { v.machine[matrix.Container]["Docker"] = "26.1" }, all},
		"an image, built again": {func(v *Verdicts) { v.images[v.plan.Cells[0].Images[0]] = "built again" }, nil},
		"an image is not built": {func(v *Verdicts) { delete(v.images, v.plan.Cells[0].Images[1]) }, nil},
		"a check less":          {func(v *Verdicts) { v.plan.Cells[0].Checks = v.plan.Cells[0].Checks[:3] }, all[:3]},
	} {
		dir := t.TempDir()
		answerAll(t, newVerdicts(resolved(t, pair, nil), dir))
		v := newVerdicts(resolved(t, pair, nil), dir)
		tc.other(v)
		if diff := cmp.Diff(tc.want, recalled(v)); diff != "" {
			t.Errorf("%s (-want +got): %s", name, diff)
		}
	}
}

func TestWhatRunsHostsHereIsRead(t *testing.T) {
	v := newVerdicts(resolved(t, pair, nil), t.TempDir())
	read := func(accelerator string, em host.Emulator) map[string]string {
		if err := v.readMachine(t.Context(), t.TempDir(), em, accelerator); err != nil {
			t.Fatal(err)
		}
		return v.machine[matrix.Nested]
	}
	is := read("tcg", host.Emulator{Machine: "pc-q35-7.2"})
	for name, other := range map[string]map[string]string{
		"accelerator":  read("other", host.Emulator{Machine: "pc-q35-7.2"}),
		"machine type": read("tcg", host.Emulator{Machine: "pc-q35-10.0"}),
		"processor":    read("tcg", host.Emulator{Machine: "pc-q35-7.2", CPU: map[matrix.Kind]string{matrix.KVM: "max"}}),
	} {
		if maps.Equal(is, other) {
			t.Errorf("the %s does not count", name)
		}
	}
	if is["kernel"] == "" || is["emulator"] != v.images[v.plan.Emulator] {
		t.Errorf("the machine is %v", is)
	}
	delete(v.images, v.plan.Emulator)
	if got := read("tcg", host.Emulator{}); got != nil {
		t.Errorf("without an emulator hosts run on %v", got)
	}
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
	tree, err := readCode(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	v := newVerdicts(resolved(t, pair, nil), t.TempDir())
	if err := v.readCode(t.Context(), root); err != nil {
		t.Fatal(err)
	}
	if v.state != tree.State() || len(v.code) != 4 || v.code["outbound/save"] == v.code["outbound/lifecycle"] {
		t.Errorf("state %s of %s, code %v", v.state, tree.State(), v.code)
	}
	// What guests run, what boots them, and what asks.
	for _, p := range []string{"internal/agent/l1init", "fixtures/l2/init", "internal/host", "suites/steps", "fixtures/domain", "internal/console"} {
		if _, err := tree.Version(module + p); err != nil {
			t.Error(err)
		}
	}
	// What judges does not count.
	for _, p := range []string{"reports", "ci/virtmatrix"} {
		if _, err := tree.Version(module + p); err == nil {
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

func TestTheMachineThatGuestsBootIsPartOfTheQuestion(t *testing.T) {
	key := func(packages string) string {
		t.Helper()
		plan := resolved(t, matrix.Request{Profile: "consumers", Cells: []string{"libvirt-9.0"}, Checks: []string{"C-CI-SEED"}}, nil)
		cell := &plan.Cells[0]
		check := &cell.Checks[slices.IndexFunc(cell.Checks, func(p matrix.PlannedCheck) bool { return p.ID == "C-CI-SEED" })]
		check.Hosts.Machine.Packages = packages
		v := newVerdicts(plan, t.TempDir())
		if !slices.Contains(refsOf(plan), check.Hosts.Machine) {
			t.Errorf("the machine is not among %v", refsOf(plan))
		}
		got, err := v.key(cell, *check)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if key("a set") == key("another one") {
		t.Error("the question is the same with another machine")
	}
}
