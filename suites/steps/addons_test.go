package steps

import (
	"context"
	"strings"
	"testing"

	"github.com/virtmatrix/virtmatrix/internal/agent"
	"github.com/virtmatrix/virtmatrix/internal/hosttest"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// withAddOn gives the check an add-on, in a container.
func withAddOn(b *bench) {
	cell := *b.Env.Cell
	cell.Tier = matrix.Container
	b.Env.Cell, b.session.Cell, b.Env.AddOns = &cell, &cell, []string{"virtinst"}
}

// installing is a host that has these packages before and after.
func installing(h *hosttest.Host, before, after string) {
	lists := []string{before, after}
	h.OnExec = func(_ context.Context, command string) (res agent.Result, _ error) {
		if strings.HasSuffix(command, "/list") {
			res.Stdout, lists = []byte(lists[0]), lists[1:]
		}
		return res, nil
	}
}

func TestAddOnsComeAboveAStackThatStays(t *testing.T) {
	for after, want := range map[string]verdict{
		"libvirt0 9.0.0\npython3 3.11\nvirtinst 1:4.1\n": passes,
		"libvirt0 9.1.0\nvirtinst 1:4.1\n":               ends(matrix.Fail, matrix.LayerDelivery, "virtinst took the host's own libvirt0 9.0.0 away"),
		"libvirt0 9.0.0\n":                               infra(`of ["virtinst"] the host has []`),
	} {
		on(t, want, func(t *T, h *hosttest.Host) {
			installing(h, "libvirt0 9.0.0\n", after)
			spoiled := false
			t.SpoilUpdate(func() { spoiled = true })
			t.Install()
			if note := strings.Join(t.Notes(), "\n"); !spoiled || !strings.Contains(note, "virtinst 1:4.1") {
				t.Fail(matrix.LayerHarness, "spoiled: %t; notes: %s", spoiled, note)
			}
		}, withAddOn)
	}
	on(t, passes, func(t *T, h *hosttest.Host) {
		installing(h, "libvirt0 9.0.0\nvirtinst 1:4.1\n", "of a second look")
		t.Install()
		if note := strings.Join(t.Notes(), "\n"); !strings.Contains(note, "since a check before: virtinst 1:4.1") {
			t.Fail(matrix.LayerHarness, "notes: %s", note)
		}
	}, withAddOn)
	on(t, infra("the check's hosts have none"), func(t *T, _ *hosttest.Host) { t.Install() })
}

func TestAMachineHasAddOnsFromTheStart(t *testing.T) {
	on(t, passes, func(t *T, h *hosttest.Host) {
		h.OnExec = func(_ context.Context, command string) (agent.Result, error) {
			t.Fail(matrix.LayerHarness, "it runs %s", command)
			return agent.Result{}, nil
		}
		t.Install()
	}, func(b *bench) { b.Env.AddOns = []string{"lvm2"} })
}

func TestDocumentsAreAskedForFacts(t *testing.T) {
	const doc = "<domain><vcpu current='2'>4</vcpu></domain>"
	on(t, passes, func(t *T, _ *hosttest.Host) { t.ExpectSays("it", doc, "/domain/vcpu=4", "/domain/vcpu/@current=2") })
	on(t, ends(matrix.Fail, matrix.LayerManagement, "it lacks what was asked for:\n/domain/title=x"), func(t *T, _ *hosttest.Host) {
		t.ExpectSays("it", doc, "/domain/vcpu=4", "/domain/title=x")
	})
}
