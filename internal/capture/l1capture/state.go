package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/virtmatrix/virtmatrix/internal/capture"
)

// vmstate is a description of state as -dump-vmstate writes it (migration/savevm.c).
type vmstate struct {
	Name        string    `json:"Name"`
	VMSD        string    `json:"vmsd_name"`
	Field       string    `json:"field"`
	Version     int       `json:"version_id"`
	Minimum     int       `json:"minimum_version_id"`
	Sometimes   bool      `json:"field_exists"`
	Size        int       `json:"size"`
	Description *vmstate  `json:"Description"`
	Fields      []vmstate `json:"Fields"`
	Subsections []vmstate `json:"Subsections"`
}

func takeState(t *taker, q *session) error {
	file := "/tmp/vmstate.json" // of the image: TMPDIR is of the machine
	// It has the states of all devices whatever the machine is.
	if _, err := output(q.program, "-nodefaults", "-display", "none", "-machine", "q35", "-dump-vmstate", file); err != nil {
		return err
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(text, &all); err != nil {
		return fmt.Errorf("cannot read states: %w", err)
	}
	delete(all, "vmschkmachine")
	for name, raw := range all {
		var s vmstate
		if err := json.Unmarshal(raw, &s); err != nil {
			return fmt.Errorf("cannot read state of %s: %w", name, err)
		}
		t.addState(name, s, !slices.Contains(t.creatable, name))
	}
	return nil
}

// addState adds a state and its parts. Fields have no versions that their readers go by:
// the description that they are in has.
func (t *taker) addState(path string, s vmstate, optional bool) {
	f := capture.Fact{Path: path, Optional: optional}
	if !strings.Contains(path, "/") {
		optional = false // what a device of a machine sends is missed
	}
	if d := s.Description; d != nil {
		s.Field, s.Version, s.Minimum, s.Fields, s.Subsections = "", d.Version, d.Minimum, d.Fields, d.Subsections
	}
	if s.Field == "" {
		f.Value = fmt.Sprintf("version %d, minimum %d", s.Version, s.Minimum)
		// What is read and thrown away, or read only from some versions, stands for what
		// other versions have.
		spare := 0
		for _, field := range s.Fields {
			if field.Field == "unused" {
				spare += field.Size
			} else if field.Sometimes {
				spare++
			}
		}
		if spare > 0 {
			f.Value += fmt.Sprintf(", spare %d", spare)
		}
	}
	t.add("vmstate", f)
	for _, field := range s.Fields {
		t.addState(path+"/"+cmp.Or(field.Field, "unnamed"), field, optional || field.Sometimes)
	}
	for _, sub := range s.Subsections {
		t.addState(path+"/"+strings.ReplaceAll(cmp.Or(sub.VMSD, sub.Name), "/", "."), sub, true)
	}
}
