package steps

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/agent"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/internal/hosttest"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// echoes has the host say which command it was given.
func echoes(h *hosttest.Host) {
	h.OnExec = func(_ context.Context, command string) (agent.Result, error) {
		return agent.Result{Stdout: []byte(filepath.Base(h.LogDir()) + " said by " + command)}, nil
	}
}

func TestEvidenceIsWhatHostsTell(t *testing.T) {
	b := newBench(t)
	echoes(b.host)
	b.host.Print("[ 0.0] Linux version 6.1\n")
	second := hosttest.New(t, filepath.Join(t.TempDir(), "second"))
	echoes(second)
	for _, h := range []*hosttest.Host{b.host, second} {
		if err := os.WriteFile(filepath.Join(h.LogDir(), host.EmulatorFile), []byte("emulator of "+h.LogDir()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	mine := filepath.Join(t.TempDir(), "transcript.ndjson")
	if err := os.WriteFile(mine, []byte("QMP"), 0o644); err != nil {
		t.Fatal(err)
	}
	b.T = New(b.ctx, b.Env, b.session, NewSession(second))
	err := b.T.Attempt(func(t *T) {
		t.watchGuest(&Domain{t: t, Name: "l2-x"})
		t.On(1).watchGuest(&Domain{t: t.On(1), Name: "l2-y"})
		if moved := t.On(1).watchGuest(&Domain{t: t.On(1), Name: "l2-x"}); moved.t.s != t.On(1).s {
			panic("a guest that moved is asked where it was")
		}
		t.KeepLog("mine.txt", "cat mine")
		t.KeepFile(mine)
		t.Fail(matrix.LayerL2, "no")
	})
	ends(matrix.Fail, matrix.LayerL2)(b, err)
	for name, want := range map[string]string{
		"l1-console.log": "Linux version", "dmesg.log": "said by dmesg", "mine.txt": "said by cat mine", "transcript.ndjson": "QMP",
		"l2-x-console.log": "said by cat", "l2-x-domain.xml": "said by timeout 20 virsh", host.EmulatorFile: "emulator of " + b.host.LogDir(),
		"host1-dmesg.log": "second said by dmesg", "host1-l2-y-domain.xml": "second said by timeout", "host1-" + host.EmulatorFile: "emulator of " + second.LogDir(),
	} {
		if got := b.keeps(name); !strings.Contains(got, want) {
			t.Errorf("%s says %q, want %q", name, got, want)
		}
	}
	if _, err := os.Stat(filepath.Join(b.evidence, "l2-y-domain.xml")); err == nil {
		t.Error("a host was asked for the other's guest")
	}
}

func TestEvidenceEndsWithAHostThatDoesNotAnswer(t *testing.T) {
	b := newBench(t)
	_ = b.attempt(func(t *T, h *hosttest.Host) {
		h.FallSilent(time.Second, 0)
		t.Fail(matrix.LayerKernel, "x")
	})
	if got := b.keeps("dmesg.log"); !strings.HasPrefix(got, "cannot be had: ") {
		t.Errorf("dmesg.log says %q", got)
	}
	if ran := b.host.Ran(); len(ran) != 2 { // the question whether it lives, and dmesg
		t.Errorf("a host that does not answer was asked %q", ran)
	}
}

func TestADeadHostIsNotAskedForEvidence(t *testing.T) {
	b := newBench(t)
	_ = b.attempt(func(_ *T, h *hosttest.Host) { h.Print("last words\n"); h.Die(hosttest.Panicked) })
	if got := b.keeps("l1-console.log"); got != "last words\n" {
		t.Errorf("l1-console.log says %q", got)
	}
	if len(b.host.Ran()) != 0 {
		t.Errorf("it was asked %q", b.host.Ran())
	}
}

func TestEvidenceIsBounded(t *testing.T) {
	dir := t.TempDir()
	KeepEvidence(dir, "log", []byte(strings.Repeat("a", MaxEvidence)+"the end"))
	text, err := os.ReadFile(filepath.Join(dir, "log"))
	if err != nil || len(text) != MaxEvidence || !strings.HasSuffix(string(text), "the end") {
		t.Errorf("%d bytes are kept, %v", len(text), err)
	}
}
