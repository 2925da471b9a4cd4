package steps

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/virtmatrix/virtmatrix/internal/agent"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/internal/hosttest"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// emulator has the host's emulator answer each QMP command with the next of its texts, the
// last of them again and again; "{}" where it has none. It returns what was asked.
func emulator(h *hosttest.Host, answers map[string][]string) (asked func() []string) {
	var commands []string
	h.OnExec = func(ctx context.Context, command string) (agent.Result, error) {
		if strings.HasPrefix(command, "exec ") {
			<-ctx.Done()
		}
		return agent.Result{}, nil
	}
	h.OnDial = func(string) (net.Conn, error) {
		client, server := net.Pipe()
		go func() {
			defer server.Close()
			fmt.Fprintln(server, `{"QMP": {"version": {"qemu": {"major": 7, "minor": 2, "micro": 0}, "package": ""}, "capabilities": []}}`)
			for in := json.NewDecoder(server); ; {
				var c struct{ Execute, ID string }
				if in.Decode(&c) != nil {
					return
				}
				commands = append(commands, c.Execute)
				answer := "{}"
				if left := answers[c.Execute]; len(left) > 0 {
					answer = left[0]
					answers[c.Execute] = left[min(1, len(left)-1):]
				}
				fmt.Fprintf(server, "{\"return\": %s, \"id\": %q}\n", answer, c.ID)
			}
		}()
		return client, nil
	}
	return func() []string { return commands }
}

func jobIs(status, err string) string {
	return fmt.Sprintf(`[{"id": "virtmatrix-job", "type": "mirror", "status": %q, "error": %q}]`, status, err)
}

func TestAJobGoesToItsEnd(t *testing.T) {
	on(t, passes, func(t *T, h *hosttest.Host) {
		asked := emulator(h, map[string][]string{"query-jobs": {jobIs("running", ""), jobIs("ready", ""), jobIs("ready", ""), jobIs("concluded", "")}})
		q := t.StartQEMU()
		q.Job("blockdev-mirror", map[string]any{"device": "disk"})
		if got := asked()[1:]; !slices.Contains(got, "job-complete") || got[len(got)-1] != "job-dismiss" {
			t.Fail(matrix.LayerHarness, "the emulator was told %q", got)
		}
	}, transcripts(t))
}

func TestAJobThatFailsIsTheEmulators(t *testing.T) {
	for _, jobs := range []string{jobIs("concluded", "No space left on device"), `[]`} {
		failed := ends(matrix.Fail, matrix.LayerManagement, "job")
		on(t, func(b *bench, err error) { failed(b, err); _ = b.T.WayBack() }, func(t *T, h *hosttest.Host) {
			emulator(h, map[string][]string{"query-jobs": {jobs}})
			t.StartQEMU().Job("blockdev-mirror", map[string]any{"device": "disk"})
		}, transcripts(t))
	}
}

func TestAMigrationSaysWhyTheGuestStayed(t *testing.T) {
	on(t, passes, func(t *T, h *hosttest.Host) {
		emulator(h, map[string][]string{"query-migrate": {`{"status": "active"}`, `{"status": "failed", "error-desc": "no such socket"}`}})
		if why := t.StartQEMU().EndMigration(); !strings.Contains(why, "no such socket") {
			t.Fail(matrix.LayerHarness, "it says %q", why)
		}
	}, transcripts(t))
}

func TestASwallowedCommandIsNeverGiven(t *testing.T) {
	on(t, passes, func(t *T, h *hosttest.Host) {
		asked := emulator(h, nil)
		s := t.SwallowQMP("device_del")
		q := t.StartQEMU()
		q.Do("device_del", map[string]any{"id": "nic"}, nil)
		q.Do("cont", nil, nil)
		if got := asked(); s.Times != 1 || slices.Contains(got, "device_del") || !slices.Contains(got, "cont") {
			t.Fail(matrix.LayerHarness, "swallowed %d times, told %q", s.Times, got)
		}
	}, transcripts(t))
}

// transcripts has a folder for what is written down.
func transcripts(t *testing.T) func(*bench) { return func(b *bench) { b.Transcripts = t.TempDir() } }

func TestWhatAFilterEndedIsNoCrash(t *testing.T) {
	on(t, passes, func(t *T, h *hosttest.Host) {
		answers(h, agent.Result{Stdout: []byte("qemu-system-x86 (process 227) " + host.CrashedBy + " 31\nlibvirtd (process 3) " + host.CrashedBy + " 11\n")})
		q := &QEMU{t: t}
		if end := q.TryFatal("start a program", func() {}); end != "" {
			t.Fail(matrix.LayerManagement, "an emulator that goes on has ended: %q", end)
		}
		if err := t.Crashed(context.Background()); err == nil || strings.Contains(err.Error(), "227") || !strings.Contains(err.Error(), "process 3") {
			t.Fail(matrix.LayerManagement, "what crashed: %v", err)
		}
	})
}
