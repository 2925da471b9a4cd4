package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
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
	return t.lackModules("devices", "objects", "qmp", "vmstate", "machines", "options")
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
	// An emulator of modules knows the parameters of some options, -spice among them,
	// once their modules are loaded. It loads all that have types before it lists any
	// (QEMU qom/qom-qmp-cmds.c, module_load_qom_all).
	if _, err := q.typeNames("object", false); err != nil {
		return err
	}
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
		t.add(kind, capture.Fact{Path: name, Value: capture.Unseen + "the emulator " + err.Error()})
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
