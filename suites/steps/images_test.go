package steps

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/virtmatrix/virtmatrix/internal/agent"
	"github.com/virtmatrix/virtmatrix/internal/hosttest"
	"github.com/virtmatrix/virtmatrix/matrix"
)

func TestWhatBecameOfImages(t *testing.T) {
	before := Images{"/a": {"600", "root:root", "1"}, "/b": {"600", "root:root", "2"}, "/c": {"600", "root:root", "3"}, "/same": {"644", "root:root", "4"}}
	now := Images{"/a": {"644", "root:root", "1"}, "/b": {"600", "qemu:kvm", "5"}, "/d": {"0", "root:root", "3"}, "/same": {"644", "root:root", "4"}}
	want := []string{"/a has mode 644, had 600", "/b has another content", "/b is of qemu:kvm, was of root:root", "/c is gone", "/d is new"}
	if diff := cmp.Diff(want, now.Since(before)); diff != "" {
		t.Error(diff)
	}
	if same := now.Since(now); same != nil {
		t.Errorf("what did not change did: %q", same)
	}
	if diff := cmp.Diff([]string{"/a has mode 644", "/same has mode 644"}, now.OpenToOthers()); diff != "" {
		t.Error(diff)
	}
}

func TestImagesAreListedAsFindTells(t *testing.T) {
	h := hosttest.New(t, t.TempDir())
	printed := "600 root:root abc  /images/a b.img\n"
	h.OnExec = func(context.Context, string) (agent.Result, error) { return agent.Result{Stdout: []byte(printed)}, nil }
	attempt := New(t.Context(), Env{Cell: &matrix.Cell{Kind: matrix.KVM}, Scale: 1}, NewSession(h))
	if diff := cmp.Diff(Images{"/images/a b.img": {"600", "root:root", "abc"}}, attempt.Images("/images")); diff != "" {
		t.Error(diff)
	}
	printed = "600 root:root sha256sum: no such file\n"
	if err := caught(func() { attempt.Images("/images") }); err == nil {
		t.Error("what find did not print is taken for an image")
	}
}
