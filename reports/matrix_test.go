package reports

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/virtmatrix/virtmatrix/matrix"
)

func store(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "matrix.json")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestStoredMatrixReadsBackTheSame(t *testing.T) {
	for name, m := range map[string]*Matrix{"sample": sample(), "empty": Judge(plan(), nil, nil)} {
		text := render(t, "json", m, Options{})
		back, err := ReadMatrix(store(t, text))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(text, render(t, "json", back, Options{})); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if r := back.Result("kvm_linux-6.12_qemu-10.0_libvirt-11.3", "O-SAVE"); name == "sample" && !strings.Contains(r.Reason, "\x1b[31m") {
			t.Errorf("the escapes of the file are not what the guest said: %q", r.Reason)
		}
	}
}

func TestReadMatrixRefusesWhatItDoesNotUnderstand(t *testing.T) {
	good := render(t, "json", sample(), Options{})
	tests := []struct{ name, old, new, want string }{
		{"unknown key", `"profile"`, `"profil"`, `unknown field "profil"`},
		{"another format", `"version": 6`, `"version": 1`, "judge the run again"},
		{"broken", `"cells": [`, `"cells": [,`, "line "},
		{"wrong type", `"wall_seconds": 297`, `"wall_seconds": "x"`, "line "},
		{"unknown verdict", `"verdict": "INFRA"`, `"verdict": "INFRO"`, `did you mean "INFRA"?`},
		{"edited totals", `"PASS": 16`, `"PASS": 19`, "totals do not agree"},
		{"edited result", `"verdict": "MISSING"`, `"verdict": "PASS"`, "PASS without a record"},
		{"answer of a cell that gave none", `"asked_in": "kvm_linux-6.12`, `"asked_in": "kvm_linux-6.1`, "which has no such result"},
		{"foreign decision", `"code": 1`, `"code": 7`, "gate it again"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if !strings.Contains(good, test.old) {
				t.Fatalf("the sample lacks %q", test.old)
			}
			path := store(t, strings.Replace(good, test.old, test.new, 1))
			_, err := ReadMatrix(path)
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
	if _, err := ReadMatrix(filepath.Join(t.TempDir(), "absent.json")); err == nil {
		t.Error("read a matrix that is not there")
	}
}

func TestExplainTellsEverything(t *testing.T) {
	m := sample()
	got := Explain(m, nil, "kvm_linux-6.12_qemu-10.0_libvirt-11.3", "O-SAVE")
	for _, want := range []string{
		"FAIL: the product did not behave", "L1 management", "cannot restore domain", "qemu 10.0 from trixie (10.0.1-1)",
		"libvirt-daemon 9.0.0-4+deb12u2", "L1 tcg, L2 kvm", "qemu 1:7.2+dfsg-7", "v0.1.0-3-gabcdef0, plan ",
		"the saved image is 61 MiB", "PASS on kvm_linux-6.1_qemu-7.2_libvirt-9.0", "evidence/kvm_linux-6.12", "virtmatrix repro -cell",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("lacks %q:\n%s", want, got)
		}
	}
	if got := Explain(m, nil, "xen_linux-6.1_xen-4.17_libvirt-9.0", "O-CONN"); !strings.Contains(got, "IX-PV (INFRA: cannot start guest: no space left on device)") {
		t.Errorf("lacks what blocked it:\n%s", got)
	}
	if got := Explain(m, nil, m.Cells[0].ID, "O-START"); !strings.Contains(got, token) {
		t.Errorf("lacks L2's words:\n%s", got)
	}
	if got := Explain(m, nil, "xen_linux-6.1_xen-4.17_libvirt-9.0", "O-START"); !strings.Contains(got, "MISSING: planned, but there is no result") {
		t.Errorf("a result without a record:\n%s", got)
	}
}

func TestExplainNamesTheNearestOfWhatIsUnknown(t *testing.T) {
	m := sample()
	if got := Explain(m, nil, "kvm_linux-6.1_qemu-7.2_libvirt-9", "O-SAVE"); !strings.Contains(got, `did you mean "kvm_linux-6.1_qemu-7.2_libvirt-9.0"?`) {
		t.Error(got)
	}
	if got := Explain(m, nil, m.Cells[0].ID, "O-SAEV"); !strings.Contains(got, `did you mean "O-SAVE"?`) {
		t.Error(got)
	}
}

func TestOtherPackagesThanPlannedAreShown(t *testing.T) {
	m := sample()
	c := &m.Cells[0]
	r := m.Result(c.ID, "O-SAVE")
	r.Record.PackageSets = map[string]string{"userland-kvm": "set-trixie"}
	if got := m.images(c, r); got[0].Key != "set-trixie" || got[0].Count != 3 {
		t.Errorf("images: %+v", got)
	}
	if !differs(c, r) || differs(c, m.Result(c.ID, "O-CONN")) {
		t.Error("the difference is not seen")
	}
}

func TestProblemsAreGroupedAndOrderedByUrgency(t *testing.T) {
	m := sample()
	var got []string
	mixed := m.Result("kvm_linux-6.12_qemu-10.0_libvirt-9.0", "O-SAVE")
	mixed.Verdict, mixed.Ruling = matrix.Fail, "" // as if no rule knew it
	for _, p := range problems(m) {
		got = append(got, string(p.verdict)+" "+some(p.checks(), 3)+" "+number(len(p.cells()), "cell"))
	}
	want := []string{"FAIL O-SAVE 2 cells", "INFRA IX-PV 1 cell", "MISSING O-START 1 cell", "BLOCKED O-CONN 1 cell"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	mixed.Reason = "another"
	if n := len(problems(m)); n != 5 {
		t.Errorf("%d problems after one of two failures changed its reason", n)
	}
	if m.Result("xen_linux-6.1_xen-4.17_libvirt-9.0", "O-SAVE").Verdict != matrix.Unsupported {
		t.Error("the sample lost its unsupported check")
	}
}
