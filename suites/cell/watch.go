package cell

import (
	"context"
	_ "embed"
	"fmt"
	"slices"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/virtmatrix/virtmatrix/internal/console"
	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/matrix"
)

//go:embed allow.yaml
var allowText []byte

// Allowances are the console lines that mean no trouble, from allow.yaml.
func Allowances() ([]console.Allowance, error) {
	var list []console.Allowance
	if err := yaml.UnmarshalWithOptions(allowText, &list, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("cannot read allow.yaml: %w", err)
	}
	for i := range list {
		if err := list[i].Compile(); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// worker is what L0's scheduler runs for the cell's host.
func (c *Cell) worker() string {
	if c.contained() {
		return "L1's container"
	}
	return "L1's emulator"
}

// watchHost looks at what L1's console said during the attempt, and returns the
// trouble that is not allowed.
func (t *T) watchHost() error {
	found, err := t.hostTrouble()
	if err != nil {
		return fault.Infraf("watch console", "%w", err)
	}
	if len(found) > 0 {
		return t.trouble("L1", found, matrix.LayerKernel)
	}
	return nil
}

// hostTrouble is what L1's console said during the attempt and is not allowed.
func (t *T) hostTrouble() ([]console.Finding, error) {
	allowed, err := Allowances()
	if err != nil {
		return nil, err
	}
	text, err := t.vm.Console().Since(t.consoleAt)
	if err != nil {
		return nil, err
	}
	return console.Scan(text, allowed), nil
}

// watchGuests looks at the consoles of the guests that the attempt started.
func (t *T) watchGuests(ctx context.Context) error {
	allowed, err := Allowances()
	if err != nil {
		return fault.Infraf("watch consoles of guests", "%w", err)
	}
	for _, g := range t.guests {
		text, err := g.consoleText(ctx)
		if err != nil {
			return err
		}
		if found := console.Scan(text, allowed); len(found) > 0 {
			return t.trouble("L2 "+g.Name, found, matrix.LayerL2)
		}
	}
	return nil
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

// endWhenHung ends the attempt when L1's kernel says that it stalls, and after
// a while says so again: no limit needs to be waited for.
func (t *T) endWhenHung(ctx context.Context, end context.CancelCauseFunc) {
	poll := time.NewTicker(t.cell.limit(hangPoll))
	defer poll.Stop()
	var stalled time.Time
	said := 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-poll.C:
		}
		found := t.stalls()
		switch {
		case len(found) == 0:
		case stalled.IsZero():
			stalled, said = time.Now(), len(found)
		case len(found) > said && time.Since(stalled) > t.cell.limit(hangGrace):
			end(hang{t.trouble("L1", found, matrix.LayerKernel)})
			return
		}
	}
}

// stalls are those that L1's console told of during the attempt, when it told of
// no other trouble: that is judged at the attempt's end.
func (t *T) stalls() []console.Finding {
	found, err := t.hostTrouble()
	if err != nil || slices.ContainsFunc(found, func(f console.Finding) bool { return f.Severity != console.Stall }) {
		return nil
	}
	return found
}
