package qemu

import (
	"encoding/json"
	"slices"
)

// schemaEntry is a SchemaInfo of QMP's introspection (qapi/introspect.json).
// Names of types in it are those of other entries.
type schemaEntry struct {
	Name        string `json:"name"`
	MetaType    string `json:"meta-type"`
	ArgType     string `json:"arg-type"`
	RetType     string `json:"ret-type"`
	ElementType string `json:"element-type"`
	// Members are objects with a type, but mere names in older enumerations.
	Members  []json.RawMessage `json:"members"`
	Variants []struct {
		Type string `json:"type"`
	} `json:"variants"`
}

// types are the names of the types that the entry is made of.
func (e schemaEntry) types() []string {
	refs := []string{e.ArgType, e.RetType, e.ElementType}
	for _, m := range e.Members {
		var member struct {
			Type string `json:"type"`
		}
		if json.Unmarshal(m, &member) == nil {
			refs = append(refs, member.Type)
		}
	}
	for _, v := range e.Variants {
		refs = append(refs, v.Type)
	}
	return slices.DeleteFunc(refs, func(name string) bool { return name == "" })
}

// schema is what the introspection told.
type schema struct {
	commands, events []string
	// dangling are types that are referred to and not there: a schema that has
	// some is not whole.
	dangling []string
}

func readSchema(entries []schemaEntry) schema {
	var s schema
	known := map[string]bool{}
	for _, e := range entries {
		switch e.MetaType {
		case "command":
			s.commands = append(s.commands, e.Name)
		case "event":
			s.events = append(s.events, e.Name)
		default:
			known[e.Name] = true
		}
	}
	for _, e := range entries {
		for _, name := range e.types() {
			if !known[name] && !slices.Contains(s.dangling, name) {
				s.dangling = append(s.dangling, name)
			}
		}
	}
	return s
}
