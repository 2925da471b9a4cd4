package main

import (
	"strings"
	"testing"

	"github.com/virtmatrix/virtmatrix/internal/agent"
)

func TestAHostIsNotFreshenedByHalves(t *testing.T) {
	id := strings.Repeat("0a", 16)
	for name, tc := range map[string]struct {
		fresh agent.Fresh
		says  string
	}{
		"no id":      {agent.Fresh{Seed: make([]byte, agent.SeedBytes)}, `cannot use "" as machine-id`},
		"odd id":     {agent.Fresh{Seed: make([]byte, agent.SeedBytes), MachineID: id + "\n/x"}, "as machine-id"},
		"short seed": {agent.Fresh{MachineID: id, Seed: make([]byte, 3)}, "the seed has 3 bytes, want 64"},
	} {
		if err := freshen(tc.fresh); err == nil || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v, want %q", name, err, tc.says)
		}
	}
}
