package main

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/reports"
)

func TestWatchCountsTests(t *testing.T) {
	for _, c := range []struct {
		name, stream string
		all          bool
		want         count
		prints       []string
		silent       []string
	}{
		{
			name: "passes, a skip and a failure",
			stream: `{"Action":"output","Package":"p","Test":"TestA","Output":"hidden\n"}
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"skip","Package":"p","Test":"TestB"}
{"Action":"output","Package":"p","Test":"TestC","Output":"    c_test.go:7: told\n"}
{"Action":"fail","Package":"p","Test":"TestC"}
{"Action":"fail","Package":"p","Elapsed":1.25}
{"Action":"pass","Package":"q","Elapsed":0.5}
`,
			want: count{1, 1}, prints: []string{"c_test.go:7: told", "FAIL p 1.2s\n", "ok   q 0.5s\n"}, silent: []string{"hidden"},
		},
		{
			name: "a package that does not build",
			stream: `{"ImportPath":"p","Action":"build-output","Output":"p.go:3: undefined: x\n"}
{"Action":"output","Package":"p","Output":"FAIL\tp [build failed]\n"}
{"Action":"fail","Package":"p"}
`,
			want: count{0, 1}, prints: []string{"undefined: x", "build failed"},
		},
		{
			name: "a test that died",
			stream: `{"Action":"output","Package":"p","Test":"TestA","Output":"panic: oh\n"}
{"Action":"fail","Package":"p"}
`,
			want: count{0, 1}, prints: []string{"panic: oh"},
		},
		{
			name: "skips where all must run", all: true,
			stream: `{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:3: install gpg\n"}
{"Action":"skip","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestB","Output":"    a_test.go:9: boots; leave -short out to run it\n"}
{"Action":"skip","Package":"p","Test":"TestB"}
`,
			want: count{0, 1}, prints: []string{"install gpg"}, silent: []string{"boots"},
		},
		{name: "not JSON", stream: "go: cannot find module", want: count{}, prints: []string{"cannot find module"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var b bytes.Buffer
			if got := watch(strings.NewReader(c.stream), &b, c.all); got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
			for _, text := range c.prints {
				if !strings.Contains(b.String(), text) {
					t.Errorf("%q is not in:\n%s", text, b.String())
				}
			}
			for _, text := range c.silent {
				if strings.Contains(b.String(), text) {
					t.Errorf("%q is in:\n%s", text, b.String())
				}
			}
		})
	}
}

func TestVerdictsCountWhatHasNoAnswerAsFailed(t *testing.T) {
	m := &reports.Matrix{}
	for _, v := range matrix.Verdicts {
		m.Results = append(m.Results, reports.Result{Verdict: v})
	}
	// PASS and KNOWN; FAIL, FIXED, BLOCKED, INFRA and MISSING.
	if got, want := verdicts(m), (count{2, 5}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestAProgramThatSpeaksFails(t *testing.T) {
	for _, c := range []struct {
		argv []string
		want count
	}{
		{[]string{"true"}, count{passed: 1}}, {[]string{"false"}, count{failed: 1}}, {[]string{"echo", "x.go"}, count{failed: 1}},
	} {
		if got := silent("it", c.argv...); got != c.want {
			t.Errorf("%q: got %+v, want %+v", c.argv, got, c.want)
		}
	}
}

func TestUnitTestsThatDoNotRunFail(t *testing.T) {
	for _, argv := range [][]string{{"no-such-program"}, {"false"}} {
		if got := listen(false, argv...); got != (count{failed: 1}) {
			t.Errorf("%q: got %+v, want one failure", argv, got)
		}
	}
}

func TestARunOfEarlierIsNoAnswer(t *testing.T) {
	runs := t.TempDir()
	if got := cells(runs, []string{"true"}); got != (count{failed: 1}) {
		t.Errorf("without a run: got %+v, want one failure", got)
	}
	if err := os.Symlink("20260101-000000-ci", filepath.Join(runs, "latest")); err != nil {
		t.Fatal(err)
	}
	if got := cells(runs, []string{"true"}); got != (count{failed: 1}) {
		t.Errorf("with an earlier run: got %+v, want one failure", got)
	}
}

func TestEachCommandLeavesARunOfItsOwn(t *testing.T) {
	got := commands([]string{"virtmatrix", "run", "-profile", "ci", "--", "make", "test-rpm"})
	want := [][]string{{"virtmatrix", "run", "-profile", "ci"}, {"make", "test-rpm"}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := commands(nil); got != nil {
		t.Errorf("got %q without a command", got)
	}
}
