package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// same fails unless the facts are as wanted.
func same(t *testing.T, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestASchemaIsWrittenOutWithoutNumbers(t *testing.T) {
	var schema []schemaInfo
	err := json.Unmarshal([]byte(`[
		{"name": "add", "meta-type": "command", "arg-type": "0", "ret-type": "5"},
		{"name": "x-try", "meta-type": "command", "arg-type": "0", "ret-type": "5"},
		{"name": "old", "meta-type": "command", "arg-type": "5", "ret-type": "5", "features": ["deprecated"]},
		{"name": "0", "meta-type": "object", "tag": "driver", "members": [
			{"name": "driver", "type": "1"}, {"name": "size", "type": "int", "default": null}, {"name": "x-a", "type": "int"}],
			"variants": [{"case": "file", "type": "2"}, {"case": "none", "type": "5"}]},
		{"name": "1", "meta-type": "enum", "values": ["file", "none"], "members": [{"name": "file"}, {"name": "none", "features": ["deprecated"]}, {"name": "soon", "features": ["unstable"]}]},
		{"name": "2", "meta-type": "object", "members": [{"name": "backing", "type": "3", "default": null}]},
		{"name": "3", "meta-type": "alternate", "members": [{"type": "0"}, {"type": "str"}]},
		{"name": "5", "meta-type": "object", "members": []},
		{"name": "GONE", "meta-type": "event", "arg-type": "6"},
		{"name": "6", "meta-type": "object", "members": [{"name": "ids", "type": "[str]"}]},
		{"name": "[str]", "meta-type": "array", "element-type": "str"},
		{"name": "str", "meta-type": "builtin", "json-type": "string"},
		{"name": "int", "meta-type": "builtin", "json-type": "int"}]`), &schema)
	if err != nil {
		t.Fatal(err)
	}
	taken := newTaker()
	taken.add("qmp", schemaFacts(schema)...)
	same(t, taken.written("qmp"), []string{
		"GONE event", "GONE/data/ids [string] !", "add command", "add/arguments/driver enum !", "add/arguments/driver/=file",
		"add/arguments/driver/=file/backing alternate", "add/arguments/driver/=none", "add/arguments/size int", "old command",
	})
}

func TestPagesOfVirshHaveOptionsWhateverTheirLayout(t *testing.T) {
	taken := newTaker()
	taken.addCommand("virsh", `    attach - attach a device

  SYNOPSIS
    attach <domain> [<file>] [--type <string>] [--live] --size <number>

  OPTIONS
    [--domain] <string>  domain name
    --type <string>  what
    --live           now
    [--file] <string>
`)
	taken.addCommand("virsh", `    start - start a domain

  SYNOPSIS
    start <domain> [--paused]

  OPTIONS
    <domain>  domain name
    --paused  wait
`)
	same(t, taken.written("virsh"), []string{
		"virsh/attach", "virsh/attach/--domain !", "virsh/attach/--file", "virsh/attach/--live", "virsh/attach/--type",
		"virsh/start", "virsh/start/--domain !", "virsh/start/--paused",
	})
}

func TestXMLIsASetOfPaths(t *testing.T) {
	facts, err := xmlFacts(`<domainCapabilities><vcpu max='255'/><devices><disk supported='yes'>
		<enum name='bus'><value>virtio</value><value>sata</value></enum></disk></devices><cpu><mode name='host'/></cpu></domainCapabilities>`,
		"pc", func(path string) bool { return strings.HasPrefix(path, "pc/cpu") })
	if err != nil {
		t.Fatal(err)
	}
	taken := newTaker()
	taken.add("domcaps", facts...)
	same(t, taken.written("domcaps"), []string{
		"pc/devices", "pc/devices/disk", "pc/devices/disk/enum[bus]", "pc/devices/disk/enum[bus]/=sata", "pc/devices/disk/enum[bus]/=virtio",
		"pc/devices/disk/supported/=yes", "pc/vcpu", "pc/vcpu/max 255",
	})
	if _, err := xmlFacts("", "pc", nil); err == nil {
		t.Error("no document is a document")
	}
}

func TestASchemaOfXMLIsReadThroughItsDefinitions(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"domain.rng": `<grammar xmlns="http://relaxng.org/ns/structure/1.0"><include href="disk.rng"/><start><ref name="domain"/></start>
			<define name="domain"><element name="domain"><zeroOrMore><ref name="disk"/></zeroOrMore><ref name="domain"/></element></define></grammar>`,
		"disk.rng": `<grammar xmlns="http://relaxng.org/ns/structure/1.0"><start><ref name="disk"/></start><define name="disk"><element name="disk">
			<attribute name="device"><choice><value>cdrom</value><value>disk</value></choice></attribute></element></define></grammar>`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	taken := newTaker()
	if err := takeGrammars(taken, dir); err != nil {
		t.Fatal(err)
	}
	same(t, taken.written("schemas"), []string{
		"disk", "disk/<disk>", "disk/disk", "disk/disk/@device", "disk/disk/@device/=cdrom", "disk/disk/@device/=disk",
		"domain", "domain/<domain>", "domain/disk", "domain/disk/@device", "domain/disk/@device/=cdrom", "domain/disk/@device/=disk",
		"domain/domain", "domain/domain/<disk>", "domain/domain/<domain>",
	})
}

func TestStatesAreReadWithTheirParts(t *testing.T) {
	var s vmstate
	err := json.Unmarshal([]byte(`{"Name": "nic", "version_id": 3, "minimum_version_id": 2, "Description": {"vmsd_name": "nic", "version_id": 3, "minimum_version_id": 2,
		"Fields": [{"field": "mac", "version_id": 0}, {"field": "old", "field_exists": true}, {"field": "ring", "Description": {"version_id": 1, "minimum_version_id": 1, "Fields": [{"field": "head"}]}}],
		"Subsections": [{"vmsd_name": "nic/tso", "version_id": 1, "minimum_version_id": 1, "Fields": [{"field": "on"}]}]}}`), &s)
	if err != nil {
		t.Fatal(err)
	}
	taken := newTaker()
	taken.addState("nic", s, false)
	same(t, taken.written("vmstate"), []string{"nic version 3, minimum 2, spare 1", "nic/mac", "nic/nic.tso version 1, minimum 1", "nic/nic.tso/on", "nic/old", "nic/ring version 1, minimum 1", "nic/ring/head"})
	for _, f := range taken.facts["vmstate"] {
		if f.Optional != (strings.Contains(f.Path, "tso") || f.Path == "nic/old") {
			t.Errorf("%+v", f)
		}
	}
}

func TestAProgramOfAnotherProjectHasNoModules(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	image, err := loadImage(self)
	if err != nil {
		t.Fatal(err)
	}
	if found := image.modules(); len(found) != 0 {
		t.Errorf("modules %v", found)
	}
	if _, err := loadImage(t.TempDir()); err == nil {
		t.Error("a folder is a program")
	}
}

func TestPathsOfReleasesAreTheSame(t *testing.T) {
	for path, want := range map[string]string{
		"/usr/lib/libvirt.so.0.9000.0": "/usr/lib/libvirt.so.0", "/usr/lib/xen-4.17/bin/xl": "/usr/lib/xen/bin/xl", "/usr/bin/virsh": "/usr/bin/virsh",
	} {
		if got := unversioned(path); got != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
	}
}
