package sabotage

import (
	"context"
	"slices"
	"testing"

	"github.com/virtmatrix/virtmatrix/internal/agent"
	"github.com/virtmatrix/virtmatrix/internal/hosttest"
	"github.com/virtmatrix/virtmatrix/internal/layout"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

func TestAProgramIsWrappedWhereTheHostHasIt(t *testing.T) {
	h := hosttest.New(t, t.TempDir())
	h.Places.Programs[layout.Emulator] = "/usr/libexec/qemu-kvm"
	h.OnExec = func(_ context.Context, command string) (agent.Result, error) {
		if command == "command -v uname" {
			return agent.Result{Stdout: []byte("/bin/uname\n")}, nil
		}
		return agent.Result{}, nil
	}
	attempt := steps.New(t.Context(), steps.Env{Cell: &matrix.Cell{Kind: matrix.KVM}, Scale: 1}, steps.NewSession(h))
	for program, file := range map[string]string{layout.Emulator: "/usr/libexec/qemu-kvm", "uname": "/bin/uname"} {
		if _, err := Wrap(program, "a program that fails", "exit 1").Apply(attempt); err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(h.Ran(), "chmod 755 "+file) {
			t.Errorf("%s is not replaced at %s: %q", program, file, h.Ran())
		}
	}
}
