package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"slices"

	"github.com/virtmatrix/virtmatrix/internal/capture"
	"github.com/virtmatrix/virtmatrix/internal/qmp"
)

// pinnedMachine is the machine that models are expanded on: an old one that several
// releases have, because machines pin what models are. Where it is gone it is the newest.
func pinnedMachine(q *session) (string, error) {
	var machines []machineInfo
	err := q.ask("query-machines", nil, &machines)
	for _, name := range []string{"pc-q35-5.2", "pc-q35-8.0", "pc-q35-11.0"} {
		if slices.ContainsFunc(machines, func(m machineInfo) bool { return m.Name == name }) {
			return name, err
		}
	}
	return "q35", err
}

// hostModels are what the host makes of them.
var hostModels = []string{"host", "max", "base"}

func takeModels(t *taker, bare *session) error {
	machine, err := pinnedMachine(bare)
	if err != nil {
		return err
	}
	t.add("cpus", capture.Fact{Path: capture.PinnedTo, Value: machine})
	q := newSession(bare.program, "-machine", machine, "-accel", "tcg")
	defer q.end()
	var models []struct {
		Name       string `json:"name"`
		Deprecated bool   `json:"deprecated"`
		Alias      string `json:"alias-of"`
	}
	if err := q.ask("query-cpu-definitions", nil, &models); err != nil {
		return err
	}
	for _, m := range models {
		fact := capture.Fact{Path: m.Name, Deprecated: m.Deprecated}
		var expanded struct {
			Model struct {
				Props map[string]json.RawMessage `json:"props"`
			} `json:"model"`
		}
		if !slices.Contains(hostModels, cmp.Or(m.Alias, m.Name)) {
			err := q.ask("query-cpu-model-expansion", map[string]any{"type": "full", "model": map[string]string{"name": m.Name}}, &expanded)
			var refused *qmp.Error
			if errors.Is(err, errHung) || errors.Is(err, errDied) {
				fact.Value = capture.Unseen + "the emulator " + err.Error()
			} else if err != nil && !errors.As(err, &refused) {
				return err
			}
		}
		t.add("cpus", fact)
		for name, value := range expanded.Model.Props {
			if !unpromised(name, nil) {
				t.add("cpus", capture.Fact{Path: m.Name + "/" + name, Value: string(value)})
			}
		}
	}
	return nil
}
