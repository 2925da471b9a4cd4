package main

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/capture"
	"github.com/virtmatrix/virtmatrix/internal/qmp"
)

// fakeEmulator answers as QEMU does, but for types that it spins or dies of.
const fakeEmulator = `#!/bin/sh
echo '{"QMP": {"version": {"qemu": {"major": 9}}, "capabilities": []}}'
while read -r line; do
	id=$(printf %s "$line" | sed 's/.*"id":\("[0-9]*"\).*/\1/')
	case $line in
	*spins*) while :; do :; done;;
	*dies*) exit 134;;
	*refused*) echo "{\"id\": $id, \"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}}";;
	*'"cpu"'*qom-list-types*) echo "{\"id\": $id, \"return\": [{\"name\": \"cpu1\"}]}";;
	*qom-list-types*) echo "{\"id\": $id, \"return\": [{\"name\": \"vga\"}, {\"name\": \"spins\"}, {\"name\": \"cpu1\"}, {\"name\": \"dies\"}, {\"name\": \"x-new\"}, {\"name\": \"refused\"}, {\"name\": \"nic\"}]}";;
	*device-list-properties*) echo "{\"id\": $id, \"return\": [{\"name\": \"mac\", \"type\": \"str\", \"default-value\": \"\"}, {\"name\": \"bus\", \"type\": \"link<bus>\"}, {\"name\": \"x-try\", \"type\": \"bool\"}]}";;
	*) echo "{\"id\": $id, \"return\": {}}";;
	esac
done
`

func fakeSession(t *testing.T) *session {
	t.Helper()
	program := filepath.Join(t.TempDir(), "emulator")
	if err := os.WriteFile(program, []byte(fakeEmulator), 0o755); err != nil {
		t.Fatal(err)
	}
	q := newSession(program)
	q.busy = 200 * time.Millisecond
	t.Cleanup(q.end)
	return q
}

func newTaker() *taker {
	return &taker{facts: map[string][]capture.Fact{}, absent: map[string]map[string]string{}}
}

// written are the facts of a kind, a line each.
func (t *taker) written(kind string) []string {
	var lines []string
	for _, f := range capture.NewSet(kind, "", t.facts[kind]).Facts {
		line := strings.TrimSpace(f.Path + " " + f.Value)
		if f.Required {
			line += " !"
		}
		lines = append(lines, line)
	}
	return lines
}

func TestAnEmulatorThatHangsOrDiesIsAFactAndTheRestGoesOn(t *testing.T) {
	taken, q := newTaker(), fakeSession(t)
	if err := takeDevices(taken, q); err != nil {
		t.Fatal(err)
	}
	want := []string{"dies introspection: the emulator died", "nic", "nic/bus link", "nic/mac str", `nic/mac/default ""`, "refused", "spins introspection: the emulator hung", "vga", "vga/bus link", "vga/mac str", `vga/mac/default ""`}
	if got := taken.written("devices"); !slices.Equal(got, want) {
		t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestASessionTellsARefusalFromAnEmulatorThatIsNotThere(t *testing.T) {
	var refused *qmp.Error
	if err := fakeSession(t).ask("refused", nil, nil); !errors.As(err, &refused) {
		t.Errorf("%v", err)
	}
	q := newSession(filepath.Join(t.TempDir(), "none"))
	if err := q.ask("query-version", nil, nil); err == nil || errors.Is(err, errDied) || !strings.Contains(err.Error(), "cannot start") {
		t.Errorf("%v", err)
	}
	q = newSession("/bin/false")
	if err := q.ask("query-version", nil, nil); err == nil || !strings.Contains(err.Error(), "cannot ask /bin/false") {
		t.Errorf("%v", err)
	}
}
