package steps

import (
	"context"
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/virtmatrix/virtmatrix/internal/console"
	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/matrix"
)

//go:embed allow.yaml
var allowText []byte

// allowances are the console lines that mean no trouble, from allow.yaml.
var allowances = sync.OnceValues(func() ([]console.Allowance, error) { return readAllowances(allowText) })

func readAllowances(text []byte) ([]console.Allowance, error) {
	var list []console.Allowance
	if err := yaml.UnmarshalWithOptions(text, &list, yaml.Strict()); err != nil {
		return nil, fault.Infraf("read allow.yaml", "%w", err)
	}
	for i := range list {
		if err := list[i].Compile(); err != nil {
			return nil, fault.Infraf("read allow.yaml", "%w", err)
		}
	}
	return list, nil
}

// Console is everything that L1's console printed since its boot.
func (t *T) Console() string {
	text, err := t.Host().Console().Since(0)
	t.must(err, "read L1's console")
	return string(text)
}

// Clean asserts that what L1's kernel printed, on its console or into its log,
// holds no trouble but what allow.yaml lets through.
func (t *T) Clean(text string) {
	allowed, err := allowances()
	t.must(err, "read L1's log")
	if found := console.Scan([]byte(text), allowed); len(found) > 0 {
		t.must(t.trouble("L1", found, matrix.LayerKernel), "read L1's log")
	}
}

// watchHost looks at what L1's console said during the attempt, and returns the
// trouble that is not allowed.
func (t *T) watchHost() error {
	found, err := t.hostTrouble()
	if err != nil {
		return fault.OrInfra("watch console", err)
	}
	if len(found) > 0 {
		return t.trouble("L1", found, matrix.LayerKernel)
	}
	return nil
}

// hostTrouble is what L1's console said during the attempt and is not allowed.
func (t *T) hostTrouble() ([]console.Finding, error) {
	allowed, err := allowances()
	if err != nil {
		return nil, err
	}
	text, err := t.s.Host.Console().Since(t.s.consoleAt)
	if err != nil {
		return nil, err
	}
	return console.Scan(text, allowed), nil
}

// watchGuests looks at the consoles of the guests that the attempt started.
func (t *T) watchGuests() error {
	for _, g := range t.guests {
		if err := g.trouble(t.ctx); err != nil {
			return err
		}
	}
	return nil
}

// trouble is what the guest's console says that is neither allowed nor asked for.
func (g *Guest) trouble(ctx context.Context) error {
	if g.panics {
		return nil
	}
	allowed, err := allowances()
	if err != nil {
		return err
	}
	text, err := g.consoleText(ctx)
	if err != nil {
		return err
	}
	if found := console.Scan(text, allowed); len(found) > 0 {
		return g.t.trouble("L2 "+g.Name, found, matrix.LayerL2)
	}
	return nil
}

// trouble attributes what a console said. A stall of a host that waited for a
// processor more than it ran, in the seconds before it said so, is the machine's.
// One of an emulated host may be the emulator's, and so may an oops of int3, whose
// kernel patched code of which the emulator went on with an old translation, and a
// triple fault of a guest, for which a guest of KVM boots anew (ExpectSameBoot). A guest with
// the hypervisor's own state is the emulator's each time.
func (t *T) trouble(who string, found []console.Finding, layer matrix.Layer) error {
	var lines []string
	stalls, stale := true, false
	for _, f := range found {
		lines = append(lines, f.String())
		stalls = stalls && f.Severity == console.Stall
		stale = stale || strings.Contains(f.Line, "Oops: int3") || f.Pattern == console.TripleFault
		if strings.HasPrefix(f.Line, "(XEN)") {
			layer = matrix.LayerHypervisor
		}
	}
	text := strings.Join(lines[:min(len(lines), 10)], "\n")
	if got := t.s.lately(); stalls && got.Starved() {
		return fault.Infraf("watch consoles on a starved machine", "%s says, while its emulator %s:\n%s", who, got, text)
	}
	if t.emulated() && slices.ContainsFunc(found, func(f console.Finding) bool { return f.Pattern == console.HostState }) {
		return fault.Infraf("tell the stack from the emulator of L1", "%w: a guest of %s has the hypervisor's own state:\n%s", ErrEmulator, who, text)
	}
	if (stalls || stale) && t.mayBeEmulator() {
		return fault.Infraf("tell the stack from the emulator of L1", "%s says once, and %w:\n%s", who, ErrEmulator, text)
	}
	return fault.Productf(layer, "keep the console of "+who+" clean", "it says:\n%s", text)
}

// hangPoll is how often L1's console is looked at for stalls, and hangGrace how
// long a host that stalled may take to go on; both at scale 1. A kernel that hangs
// says so every 20 to 30 seconds (kernel.watchdog_thresh, Documentation/admin-guide/
// lockup-watchdogs.rst).
const (
	hangPoll  = 2 * time.Second
	hangGrace = 30 * time.Second
)

// hang is why an attempt was ended because L1 hangs.
type hang struct{ error }

// endWhenHung ends the attempt when L1's kernel says that it stalls, and after a
// while says so again: no limit needs to be waited for.
func (t *T) endWhenHung(ctx context.Context, end context.CancelCauseFunc) {
	poll := time.NewTicker(t.Limit(hangPoll))
	defer poll.Stop()
	var stalled time.Time
	said := 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-poll.C:
		}
		t.s.sample()
		found := t.stalls()
		switch {
		case len(found) == 0:
		case stalled.IsZero():
			stalled, said = time.Now(), len(found)
		case len(found) > said && time.Since(stalled) > t.Limit(hangGrace):
			end(hang{t.trouble("L1", found, matrix.LayerKernel)})
			return
		}
	}
}

// stalls are those that L1's console told of during the attempt, and triple faults of
// guests, when it told of no other trouble: that is judged at the attempt's end.
func (t *T) stalls() []console.Finding {
	found, err := t.hostTrouble()
	if err != nil || slices.ContainsFunc(found, func(f console.Finding) bool {
		return f.Severity != console.Stall && f.Pattern != console.TripleFault && f.Pattern != console.HostState
	}) {
		return nil
	}
	return found
}

// tail is the end of a console, for an error.
func tail(text []byte) string { return fmt.Sprintf("; it ends with:\n%s\n", console.Tail(text, 10)) }
