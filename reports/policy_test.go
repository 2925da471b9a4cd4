package reports

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/virtmatrix/virtmatrix/matrix"
)

func TestDefaultPolicyHoldsOnTheProductsFaults(t *testing.T) {
	p := DefaultPolicy()
	for _, v := range []matrix.Verdict{matrix.Fail, matrix.Blocked, matrix.Fixed} {
		if !p.blocks(v) {
			t.Errorf("%s does not hold", v)
		}
	}
	for _, v := range []matrix.Verdict{matrix.Pass, matrix.Known, matrix.Unsupported} {
		if p.blocks(v) {
			t.Errorf("%s holds", v)
		}
	}
	if p.MaxRetried != nil || p.MaxStalls == nil {
		t.Errorf("max_retried is %v, max_stalls %v; want none, and some", p.MaxRetried, p.MaxStalls)
	}
}

func TestPolicyErrorsNameFileLineAndCure(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"misspelt key", "block_on: [FAIL]\nmax_retryed: 3\n", `policy.yaml:2: unknown key "max_retryed"; did you mean "max_retried"?`},
		{"misspelt verdict", "block_on:\n  - FAIL\n  - BLOKED\n", `policy.yaml:3: unknown verdict "BLOKED"; did you mean "BLOCKED"?`},
		{"infra is no choice", "block_on: [FAIL, INFRA]\n", `policy.yaml:1: INFRA is no verdict on the product`},
		{"pass cannot hold", "block_on: [FAIL, PASS]\n", `policy.yaml:1: unknown verdict "PASS"`},
		{"a gate holds on failures", "block_on: [BLOCKED]\n", "policy.yaml: block_on lacks FAIL"},
		{"empty list", "block_on: []\n", "policy.yaml: block_on lacks FAIL"},
		{"not a list", "block_on: FAIL\n", "policy.yaml:1: want a list"},
		{"missing key", "max_retried: 3\n", `policy.yaml: the key "block_on" is missing`},
		{"empty file", "", `policy.yaml: the key "block_on" is missing`},
		{"negative", "block_on: [FAIL]\nmax_retried: -1\n", "max_retried is -1, want 0 or more"},
		{"negative stalls", "block_on: [FAIL]\nmax_stalls: -2\n", "max_stalls is -2, want 0 or more"},
		{"wrong type", "block_on: [FAIL]\nmax_retried: many\n", "policy.yaml:2: "},
		{"twice", "block_on: [FAIL]\nblock_on: [FAIL]\n", "policy.yaml:2: "},
		{"broken", "block_on: [FAIL\n", "policy.yaml:1: "},
		{"two documents", "block_on: [FAIL]\n---\nblock_on: [FAIL]\n", "policy.yaml: a second document"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "policy.yaml")
			if err := os.WriteFile(path, []byte(test.text), 0o644); err != nil {
				t.Fatal(err)
			}
			_, err := ReadPolicy(path)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestReadPolicy(t *testing.T) {
	path := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(path, []byte("block_on: [FAIL, KNOWN]\nmax_retried: 0\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	p, err := ReadPolicy(path)
	if err != nil {
		t.Fatal(err)
	}
	if !p.blocks(matrix.Known) || p.blocks(matrix.Blocked) || p.MaxRetried == nil || *p.MaxRetried != 0 {
		t.Errorf("policy: %+v", p)
	}
	if _, err := ReadPolicy(filepath.Join(t.TempDir(), "absent.yaml")); err == nil {
		t.Error("read a policy that is not there")
	}
}
