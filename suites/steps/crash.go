package steps

import (
	"context"
	"slices"
	"strings"

	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// Crash has the program whose process a file names end as by a fault of its own: the
// check wants to see what becomes of it.
func (t *T) Crash(pidfile string) {
	pid := t.Sh("cat " + pidfile)
	t.s.crashed = append(t.s.crashed, "(process "+pid+")")
	t.Sh("kill -SEGV " + pid)
}

// excuseCrashes has what crashed on the host so far, with these words in its note, count no
// more: the check saw it.
func (t *T) excuseCrashes(words string) {
	for line := range strings.Lines(t.Sh("cat " + host.CrashLog + " 2>/dev/null || true")) {
		if !strings.Contains(line, words) {
			continue
		}
		t.s.crashed = append(t.s.crashed, strings.TrimSpace(line))
	}
}

// Crashed says which programs crashed on the hosts, whatever the check saw of it. Hosts on
// which one did end with the check, so it was this one. A host that cannot tell says
// nothing, and a container is not asked.
func (t *T) Crashed(ctx context.Context) error {
	if t.Contained() || ctx.Err() != nil || t.silent {
		return nil // its kernel tells nobody, nobody waits for it, or nobody would answer
	}
	ctx, cancel := context.WithTimeout(ctx, t.Limit(collectLimit))
	defer cancel()
	var crashes []string
	for _, s := range t.sessions {
		res, err := s.Host.Exec(ctx, "cat "+host.CrashLog+" 2>/dev/null || true")
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(res.Stdout)) {
			if strings.Contains(line, host.CrashedBy) && !slices.ContainsFunc(s.crashed, func(process string) bool { return strings.Contains(line, process) }) {
				crashes = append(crashes, strings.TrimSpace(line))
			}
		}
	}
	if len(crashes) == 0 {
		return nil
	}
	return fault.Productf(matrix.LayerManagement, "keep the host's programs running", "%s", strings.Join(crashes, "; "))
}
