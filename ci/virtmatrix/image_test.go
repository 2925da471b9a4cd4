package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/virtmatrix/virtmatrix/internal/imagecheck"
)

func TestAnImageIsFitOnlyIfAllWasLookedAt(t *testing.T) {
	kept := imagecheck.Result{Rule: "B-A", Verdict: imagecheck.Kept, Seen: "\x1b[2Jall"}
	boot := imagecheck.Result{Rule: "B-BOOT-A", Verdict: imagecheck.NotLooked, Boot: true}
	unseen := imagecheck.Result{Rule: "B-B", Verdict: imagecheck.NotLooked, Seen: "no disk"}
	broken := imagecheck.Result{Rule: "B-C", Verdict: imagecheck.Broken}
	for _, c := range []struct {
		results []imagecheck.Result
		code    exit
		says    string
	}{
		{[]imagecheck.Result{kept, boot}, 0, "is fit, as far as a file can tell"},
		{[]imagecheck.Result{kept, kept}, 0, "is fit\n"},
		{[]imagecheck.Result{kept, boot, unseen}, 2, "neither fit nor unfit: 1 rule could not"},
		{[]imagecheck.Result{kept, unseen, broken, broken}, 1, "not fit: 2 rules broken"},
	} {
		r := &imagecheck.Report{File: "a\nb", Format: "raw", Release: "De\x1bbian", Results: c.results}
		var b bytes.Buffer
		if err := showImage(&b, r); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(b.String(), c.says) || strings.Contains(b.String(), "\x1b") || !strings.Contains(b.String(), "ab (raw, 0 bytes, Debian)") {
			t.Errorf("got %q, want %q", b.String(), c.says)
		}
		var code exit
		if errors.As(fitness(r), &code); code != c.code {
			t.Errorf("%s: exit code %d, want %d", c.says, code, c.code)
		}
	}
}
