package runner

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/agent"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/internal/hosttest"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// holding has fresh hosts tell that they hold these things, and returns what the last
// one holds.
func holding(b *bench, fresh ...string) *[]string {
	var things []string
	b.booter.prepare = func(h *hosttest.Host) {
		things = slices.Clone(fresh)
		h.OnExec = func(_ context.Context, command string) (agent.Result, error) {
			if !strings.Contains(command, "network device") {
				return agent.Result{}, nil
			}
			return agent.Result{Stdout: []byte(strings.Join(things, "\n") + "\n")}, nil
		}
	}
	return &things
}

func TestWhatACheckLeavesIsItsFaultAndEndsWithTheHost(t *testing.T) {
	for kind, thing := range map[string]string{
		"domain":  "file /etc/libvirt/qemu/l2-0a1b2c.xml",
		"pool":    "file /etc/libvirt/storage/l2-0a1b2c-pool.xml",
		"network": "file /run/libvirt/network/virtmatrix.xml",
		"secret":  "file /etc/libvirt/secrets/c1.base64",
		"filter":  "file /etc/libvirt/nwfilter/mine.xml",
		"bridge":  "network device vmnat0",
		"table":   "nft table inet mine",
		"rule":    `nft rule about "vmnat0"`,
		"process": "process /usr/bin/qemu-system-x86_64 -name guest=l2-0a1b2c,debug-threads=on",
		"image":   "file /var/lib/libvirt/images/O-SAVE-image",
	} {
		t.Run(kind, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t)
				things := holding(b, "network device lo", "process /usr/sbin/libvirtd")
				rec := b.answer(t.Context(), "O-SAVE", func(*steps.T) { *things = append(*things, thing) })
				b.wants(rec, matrix.Pass, "")
				if len(rec.Notes) != 1 || !strings.HasSuffix(rec.Notes[0], "which is its fault: "+thing) {
					t.Errorf("it is noted as %q", rec.Notes)
				}
				if b.host().Closed() != 1 {
					t.Error("the host goes on with what was left there")
				}
				b.wants(b.answer(t.Context(), "O-START", holds), matrix.Pass, "")
			})
		})
	}
}

func TestWhatIsAboutToGoIsNotLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		var until time.Time
		b.booter.prepare = func(h *hosttest.Host) {
			h.OnExec = func(context.Context, string) (agent.Result, error) {
				if time.Now().Before(until) {
					return agent.Result{Stdout: []byte("process /usr/lib/libvirt/libvirt_iohelper\n")}, nil
				}
				return agent.Result{}, nil
			}
		}
		rec := b.answer(t.Context(), "O-SAVE", func(*steps.T) { until = time.Now().Add(time.Second) })
		b.wants(rec, matrix.Pass, "")
		if len(rec.Notes) > 0 || time.Now().Before(until) {
			t.Errorf("it is noted as %q", rec.Notes)
		}
	})
}

func TestACheckDoesNotHoldWhileAProgramCrashes(t *testing.T) {
	const crash = "xen-qemu-system (process 263) was ended by signal 11"
	for name, c := range map[string]struct {
		body    func(*steps.T)
		verdict matrix.Verdict
		layer   matrix.Layer
		reason  string
	}{
		"it holds":         {holds, matrix.Fail, matrix.LayerManagement, crash},
		"it fails":         {func(t *steps.T) { t.Fail(matrix.LayerHypervisor, "xl ended") }, matrix.Fail, matrix.LayerHypervisor, "xl ended\nmeanwhile: cannot keep the host's programs running: " + crash},
		"it is on purpose": {func(t *steps.T) { t.Crash("/run/pid") }, matrix.Pass, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.booter.prepare = func(h *hosttest.Host) {
				h.OnExec = func(_ context.Context, command string) (agent.Result, error) {
					switch {
					case strings.Contains(command, host.CrashLog):
						return agent.Result{Stdout: []byte(crash + "\n")}, nil
					case command == "cat /run/pid":
						return agent.Result{Stdout: []byte("263\n")}, nil
					}
					return agent.Result{}, nil
				}
			}
			b.wants(b.answer(t.Context(), "O-SAVE", c.body), c.verdict, c.layer, c.reason)
		})
	}
}
