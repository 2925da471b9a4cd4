package qemu

import (
	"encoding/json"
	"slices"
	"testing"
)

func schemaOf(t *testing.T, text string) schema {
	t.Helper()
	var entries []schemaEntry
	if err := json.Unmarshal([]byte(text), &entries); err != nil {
		t.Fatal(err)
	}
	return readSchema(entries)
}

const smallSchema = `[
 {"name": "quit", "meta-type": "command", "arg-type": "0", "ret-type": "0"},
 {"name": "query-status", "meta-type": "command", "arg-type": "0", "ret-type": "1"},
 {"name": "SHUTDOWN", "meta-type": "event", "arg-type": "1"},
 {"name": "0", "meta-type": "object", "members": []},
 {"name": "1", "meta-type": "object", "tag": "k", "members": [{"name": "k", "type": "2"}, {"name": "l", "type": "3"}],
  "variants": [{"case": "a", "type": "0"}]},
 {"name": "2", "meta-type": "enum", "values": ["a"], "members": [{"name": "a"}]},
 {"name": "3", "meta-type": "array", "element-type": "str"}`

func TestReadSchema(t *testing.T) {
	s := schemaOf(t, smallSchema+`, {"name": "str", "meta-type": "builtin", "json-type": "string"}]`)
	if !slices.Equal(s.commands, []string{"quit", "query-status"}) || !slices.Equal(s.events, []string{"SHUTDOWN"}) || s.dangling != nil {
		t.Errorf("got %+v", s)
	}
}

func TestSchemaWithoutATypeIsNotWhole(t *testing.T) {
	if s := schemaOf(t, smallSchema+`]`); !slices.Equal(s.dangling, []string{"str"}) {
		t.Errorf("dangling are %q", s.dangling)
	}
}
