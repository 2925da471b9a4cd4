package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/virtmatrix/virtmatrix/internal/capture"
	"github.com/virtmatrix/virtmatrix/internal/layout"
	"github.com/virtmatrix/virtmatrix/internal/qmp"
)

// takeQEMU takes all of the emulator and of qemu-img.
func takeQEMU(t *taker) error {
	emulator, err := t.Layout.Program(layout.Emulator)
	if err != nil {
		return err
	}
	bare := newSession(emulator, "-machine", "none")
	defer bare.end()
	for _, take := range []func(*taker, *session) error{takeSchema, takeOptions, takeMachines, takeDevices, takeObjects, takeModels, takeState, takeFormats} {
		if err := take(t, bare); err != nil {
			return err
		}
	}
	if err := t.lackModules("devices", "objects", "qmp", "vmstate"); err != nil {
		return err
	}
	return t.lackXen(emulator)
}

func takeSchema(t *taker, q *session) error {
	var schema []schemaInfo
	if err := q.ask("query-qmp-schema", nil, &schema); err != nil {
		return err
	}
	t.add("qmp", schemaFacts(schema)...)
	return nil
}

// optionLine begins a line of -help: "-drive [file=", "-h or -help", "-fda/-fdb file".
var optionLine = regexp.MustCompile(`(?m)^-[^\s\[]+(?: or -[^\s\[]+)*`)

func takeOptions(t *taker, q *session) error {
	var options []struct {
		Option     string
		Parameters []struct{ Name, Type string }
	}
	if err := q.ask("query-command-line-options", nil, &options); err != nil {
		return err
	}
	for _, o := range options {
		t.addNames("options", "", "-"+o.Option)
		for _, p := range o.Parameters {
			if !unpromised(p.Name, nil) {
				t.add("options", capture.Fact{Path: "-" + o.Option + "/" + p.Name, Value: p.Type})
			}
		}
	}
	help, err := output(q.program, "-help")
	for _, line := range optionLine.FindAllString(help, -1) {
		for name := range strings.SplitSeq(strings.ReplaceAll(line, " or ", "/"), "/") {
			t.addNames("options", "", "-"+strings.TrimLeft(name, "-"))
		}
	}
	return err
}

// output runs a program of the image and returns what it prints.
func output(program string, args ...string) (string, error) {
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "LANGUAGE=")
	text, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w: %s", err, strings.TrimSpace(string(exit.Stderr)))
		}
		return string(text), fmt.Errorf("cannot run %s %s: %w", program, strings.Join(args, " "), err)
	}
	return string(text), nil
}

// machineInfo is a MachineInfo of query-machines (qapi/machine.json). Which machine is
// the default moves with each release.
type machineInfo struct {
	Name       string `json:"name"`
	Alias      string `json:"alias"`
	Deprecated bool   `json:"deprecated"`
	CPU        string `json:"default-cpu-type"`
	RAM        string `json:"default-ram-id"`
	Compat     []struct {
		Type     string `json:"qom-type"`
		Property string `json:"property"`
		Value    string `json:"value"`
	} `json:"compat-props"`
}

func takeMachines(t *taker, q *session) error {
	var machines []machineInfo
	// What a machine pins is told since 9.1.
	var refused *qmp.Error
	err := q.ask("query-machines", map[string]bool{"compat-props": true}, &machines)
	if errors.As(err, &refused) {
		err = q.ask("query-machines", nil, &machines)
	}
	for _, m := range machines {
		t.add("machines", capture.Fact{Path: m.Name, Deprecated: m.Deprecated})
		if m.Alias != "" {
			t.add("machines", capture.Fact{Path: m.Alias, Value: "alias"})
		}
		for name, value := range map[string]string{"default-cpu-type": m.CPU, "default-ram-id": m.RAM} {
			if value != "" {
				t.add("machines", capture.Fact{Path: m.Name + "/" + name, Value: value})
			}
		}
		for _, p := range m.Compat {
			t.add("machines", capture.Fact{Path: m.Name + "/" + p.Type + "." + p.Property, Value: p.Value})
		}
	}
	return err
}

// typeNames lists the types below another, sorted.
func (q *session) typeNames(below string, abstract bool) ([]string, error) {
	var types []struct{ Name string }
	err := q.ask("qom-list-types", map[string]any{"implements": below, "abstract": abstract}, &types)
	var names []string
	for _, i := range types {
		names = append(names, i.Name)
	}
	return sortedUnique(names), err
}

// propertyInfo is an ObjectPropertyInfo (qapi/qom.json).
type propertyInfo struct {
	Name    string          `json:"name"`
	Type    string          `json:"type"`
	Default json.RawMessage `json:"default-value"`
}

// takeProperties asks a session for the properties of a type. What an emulator does not
// survive is a fact of its version.
func (t *taker) takeProperties(q *session, kind, command, name, typ string) error {
	var properties []propertyInfo
	err := q.ask(command, map[string]string{"typename": typ}, &properties)
	var refused *qmp.Error
	switch {
	case errors.Is(err, errHung), errors.Is(err, errDied):
		t.add(kind, capture.Fact{Path: name, Value: "introspection: the emulator " + err.Error()})
		return nil
	case err != nil && !errors.As(err, &refused):
		return err
	}
	t.addNames(kind, "", name)
	for _, p := range properties {
		if unpromised(p.Name, nil) || strings.HasPrefix(p.Type, "child<") {
			continue
		}
		// What a link leads to is named by types that nobody outside sees.
		if strings.HasPrefix(p.Type, "link<") {
			p.Type = "link"
		}
		path := name + "/" + p.Name
		t.add(kind, capture.Fact{Path: path, Value: p.Type})
		if len(p.Default) > 0 && string(p.Default) != "null" {
			t.add(kind, capture.Fact{Path: path + "/default", Value: string(p.Default)})
		}
	}
	return nil
}

func takeDevices(t *taker, q *session) error {
	names, err := q.typeNames("device", false)
	if err != nil {
		return err
	}
	// Processors have captures of their own.
	cpus, err := q.typeNames("cpu", false)
	if err != nil {
		return err
	}
	for _, name := range names {
		if unpromised(name, nil) || slices.Contains(cpus, name) {
			continue
		}
		if err := t.takeProperties(q, "devices", "device-list-properties", name, name); err != nil {
			return err
		}
	}
	return t.markBuiltIn(q.program)
}

// machineVersion is the version in the type of a machine.
var machineVersion = regexp.MustCompile(`-\d+(?:\.\d+)+(-machine)$`)

func takeObjects(t *taker, q *session) error {
	objects, err := q.typeNames("user-creatable", false)
	if err != nil {
		return err
	}
	// Properties of network filters are looked at for ever, in every version.
	filters, err := q.typeNames("netfilter", false)
	if err != nil {
		return err
	}
	machines, err := q.typeNames("machine", false)
	for _, name := range slices.Concat(objects, machines) {
		switch {
		case err != nil:
			return err
		case unpromised(name, nil):
		case slices.Contains(filters, name):
			t.add("objects", capture.Fact{Path: name, Value: "a network filter"})
		default:
			// The machines of a family have the same properties, whatever their version.
			err = t.takeProperties(q, "objects", "qom-list-properties", machineVersion.ReplaceAllString(name, "$1"), name)
		}
	}
	return err
}

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
	t.add("cpus", capture.Fact{Path: "machine", Value: machine})
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
				fact.Value = "introspection: the emulator " + err.Error()
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
	file := filepath.Join(os.TempDir(), "vmstate.json")
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
