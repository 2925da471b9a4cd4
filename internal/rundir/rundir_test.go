package rundir

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/virtmatrix/virtmatrix/matrix"
)

func plan(t *testing.T) *matrix.Plan {
	t.Helper()
	p := &matrix.Plan{Version: matrix.PlanVersion, Profile: "smoke", Cells: []matrix.Cell{{
		ID: "kvm_linux-6.1_qemu-7.2_libvirt-9.0", Kind: matrix.KVM,
		Checks: []matrix.PlannedCheck{{ID: "IK-BOOT", Tier: matrix.Nested}},
	}}}
	if err := p.Seal(); err != nil {
		t.Fatal(err)
	}
	return p
}

func newRun(t *testing.T, parent, profile string) *Dir {
	t.Helper()
	d, err := New(parent, profile)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestNewNamesARunByTimeAndProfile(t *testing.T) {
	d := newRun(t, filepath.Join(t.TempDir(), "runs"), "smoke")
	if name := filepath.Base(d.Path()); !regexp.MustCompile(`^\d{8}-\d{6}-smoke$`).MatchString(name) {
		t.Errorf("the run is called %q", name)
	}
	if !filepath.IsAbs(d.Path()) {
		t.Errorf("path %q is not absolute", d.Path())
	}
}

func TestRunsOfOneSecondDoNotMeet(t *testing.T) {
	parent := t.TempDir()
	seen := map[string]bool{}
	for range 5 {
		d := newRun(t, parent, "smoke")
		if seen[d.Path()] {
			t.Fatalf("%s was given out twice", d.Path())
		}
		seen[d.Path()] = true
	}
}

func TestAProfilesNameIsNeverAPath(t *testing.T) {
	parent := t.TempDir()
	d := newRun(t, parent, "../../etc/x y")
	if filepath.Dir(d.Path()) != parent || !strings.HasSuffix(d.Path(), "-..-..-etc-x-y") {
		t.Errorf("the run is at %q", d.Path())
	}
	if got, want := d.Cell("../up"), d.Path("cells", "..-up"); got != want {
		t.Errorf("the cell is at %q, want %q", got, want)
	}
}

func TestLatestIsTheNewestRun(t *testing.T) {
	parent := t.TempDir()
	newRun(t, parent, "smoke")
	d := newRun(t, parent, "ci")
	if err := d.WritePlan(plan(t)); err != nil {
		t.Fatal(err)
	}
	got, err := Open(filepath.Join(parent, Latest))
	if err != nil {
		t.Fatal(err)
	}
	if got.Path() != d.Path() {
		t.Errorf("latest is %s, want %s", got.Path(), d.Path())
	}
}

func TestAPlanComesBackAsItWas(t *testing.T) {
	d := newRun(t, t.TempDir(), "smoke")
	want := plan(t)
	if err := d.WritePlan(want); err != nil {
		t.Fatal(err)
	}
	got, err := d.ReadPlan()
	if err != nil {
		t.Fatal(err)
	}
	if got.Hash != want.Hash {
		t.Errorf("got plan %s, want %s", got.Hash, want.Hash)
	}
}

func TestAPlanThatIsNotSealedIsNotStored(t *testing.T) {
	d := newRun(t, t.TempDir(), "smoke")
	p := plan(t)
	p.Profile = "edited"
	if err := d.WritePlan(p); err == nil {
		t.Error("a plan was stored that is not what was sealed")
	}
	if _, err := os.Stat(d.Plan()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the plan's file is there: %v", err)
	}
}

func TestAnEditedPlanIsRefusedByItsName(t *testing.T) {
	d := newRun(t, t.TempDir(), "smoke")
	if err := d.WritePlan(plan(t)); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(d.Plan())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(d.Plan(), bytes.Replace(text, []byte("IK-BOOT"), []byte("IK-DMESG"), 1), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err = d.ReadPlan()
	if err == nil || !strings.Contains(err.Error(), d.Plan()) || !strings.Contains(err.Error(), "edited") {
		t.Errorf("got %v, want an error that names the file and says it was edited", err)
	}
}

func TestOpenRefusesWhatIsNoRun(t *testing.T) {
	for _, path := range []string{t.TempDir(), filepath.Join(t.TempDir(), "gone")} {
		if _, err := Open(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("opening %s: %v", path, err)
		}
	}
}

func TestListHasTheRunsThatHaveAPlan(t *testing.T) {
	parent := filepath.Join(t.TempDir(), "odd[1]*")
	first, second := newRun(t, parent, "a"), newRun(t, parent, "b")
	newRun(t, parent, "without-plan")
	for _, d := range []*Dir{first, second} {
		if err := d.WritePlan(plan(t)); err != nil {
			t.Fatal(err)
		}
	}
	got, err := List(parent)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{filepath.Base(first.Path()), filepath.Base(second.Path())}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, err := List(filepath.Join(parent, "gone")); err != nil || got != nil {
		t.Errorf("a folder that is not there lists %q, %v", got, err)
	}
}

func TestAFileThatCannotBeFinishedLeavesTheOldOne(t *testing.T) {
	d := newRun(t, t.TempDir(), "smoke")
	put := func(text string, err error) error {
		return d.Write("report.md", func(f *os.File) error {
			if _, werr := f.WriteString(text); werr != nil {
				return werr
			}
			return err
		})
	}
	if err := put("old", nil); err != nil {
		t.Fatal(err)
	}
	full := errors.New("no space left")
	if err := put("half of the n", full); !errors.Is(err, full) {
		t.Errorf("got %v, want %v", err, full)
	}
	if text, err := os.ReadFile(d.Path("report.md")); err != nil || string(text) != "old" {
		t.Errorf("the file holds %q, %v", text, err)
	}
	if left, _ := filepath.Glob(d.Path(".new-*")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}
