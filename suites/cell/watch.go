package cell

import (
	"context"
	_ "embed"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/virtmatrix/virtmatrix/internal/console"
	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/owner"
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

// late ends the attempt because something took too long. Whose fault it is
// depends on whether the host had a processor meanwhile.
func (t *T) late(since owner.Sched, what string) {
	got := t.vm.Sched().Sub(since)
	if got.Starved() {
		t.must(fault.Infraf("work on a starved machine", "%s; L1's emulator %s", what, got), what)
	}
	t.Fail(t.layer, "%s (L1's emulator %s)", what, got)
}

// watchHost looks at what L1's console said during the attempt, and returns the
// trouble that is not allowed.
func (t *T) watchHost() error {
	allowed, err := Allowances()
	if err != nil {
		return fault.Infraf("watch console", "%w", err)
	}
	text, err := t.vm.Console().Since(t.consoleAt)
	if err != nil {
		return fault.Infraf("watch console", "%w", err)
	}
	if found := console.Scan(text, allowed); len(found) > 0 {
		return t.trouble("L1", found, matrix.LayerKernel)
	}
	return nil
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

// trouble attributes what a console said. A stall of a host that waited for a
// processor more than it ran is the machine's.
func (t *T) trouble(who string, found []console.Finding, layer matrix.Layer) error {
	var lines []string
	stalls := true
	for _, f := range found {
		lines = append(lines, f.String())
		stalls = stalls && f.Severity == console.Stall
		if strings.HasPrefix(f.Line, "(XEN)") {
			layer = matrix.LayerHypervisor
		}
	}
	text := strings.Join(lines[:min(len(lines), 10)], "\n")
	if got := t.vm.Sched().Sub(t.sched); stalls && got.Starved() {
		return fault.Infraf("watch consoles on a starved machine", "%s says, while its emulator %s:\n%s", who, got, text)
	}
	return fault.Productf(layer, "keep the console of "+who+" clean", "it says:\n%s", text)
}
