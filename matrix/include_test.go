package matrix

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// with returns the small catalog's files and these, each "FILE: TEXT".
func with(texts ...string) fstest.MapFS {
	fsys := files("", "", "")
	for _, t := range texts {
		name, text, _ := strings.Cut(t, ": ")
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return fsys
}

func TestIncludedEntriesComeFirst(t *testing.T) {
	c, err := Load(with(
		"axes.yaml: include: [more/net.yaml, more/clock.yaml]\n"+small["axes.yaml"],
		"more/net.yaml: axes: [{name: net, title: T, values: [virtio, e1000], default: virtio}]",
		// Paths are those of the catalogue, wherever the file is.
		"more/clock.yaml: include: [more/net.yaml, rng.yaml]\naxes: [{name: clock, title: T, values: [utc, local], default: utc}]",
		"rng.yaml: axes: [{name: rng, title: T, values: [none, virtio], default: none}]",
	))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, a := range c.Axes[len(components()):] {
		got = append(got, a.Name)
	}
	if d := cmp.Diff([]string{"net", "rng", "clock", "machine", "disk"}, got); d != "" {
		t.Error(d)
	}
}

func TestAFileMayOnlyInclude(t *testing.T) {
	for name := range small {
		t.Run(name, func(t *testing.T) {
			if _, err := Load(with(name+": include: [all.yaml]", "all.yaml: "+small[name])); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAComponentGoesOnInAnotherFile(t *testing.T) {
	c, err := Load(with(
		"components.yaml: include: [older.yaml, other.yaml]\n"+small["components.yaml"],
		"older.yaml: components: {qemu: {packages: {kvm: [qemu]}, versions: {8.0: [trixie]}}}",
		"other.yaml: components: {qemu: {packages: {kvm: [qemu-kvm]}, versions: {9.0: [trixie]}}}",
		"axes.yaml: axes: []", "constraints.yaml: constraints: []",
	))
	if err != nil {
		t.Fatal(err)
	}
	a, err := c.Axis("qemu")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"7.2", "8.0", "9.0", "10.0"}, a.names()); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"qemu", "qemu-kvm"}, a.Packages[KVM]); d != "" {
		t.Errorf("the other files say of qemu what its packages are called: %s", d)
	}
}

func TestMistakesBetweenFilesNameBothPlaces(t *testing.T) {
	const profile = "profiles: [{name: smoke, description: D, cells: [{kind: kvm, linux: 6.1, qemu: 7.2, libvirt: 9.0}]}]"
	for _, m := range []struct {
		about string
		texts []string
		want  string
	}{
		{"a file that includes itself", []string{"axes.yaml: include: [axes.yaml]"},
			`axes.yaml:1:11: the files include each other: axes.yaml:1 -> axes.yaml`},
		{"circle", []string{"axes.yaml: include: [a.yaml]", "a.yaml: # A\ninclude:\n  - b.yaml\n", "b.yaml: include: [a.yaml]"},
			`b.yaml:1:11: the files include each other: a.yaml:3 -> b.yaml:1 -> a.yaml`},
		{"long circle", []string{"axes.yaml: include: [a.yaml]", "a.yaml: include: [b.yaml]", "b.yaml: include: [axes.yaml]"},
			`b.yaml:1:11: the files include each other: axes.yaml:1 -> a.yaml:1 -> b.yaml:1 -> axes.yaml`},
		{"unknown file", []string{"axes.yaml: include: [axis.yaml]"}, `axes.yaml:1:11: unknown file "axis.yaml"; there are`},
		{"near file", []string{"axes.yaml: include: [nets.yaml]", "net.yaml: axes: []"}, `axes.yaml:1:11: unknown file "nets.yaml"; did you mean "net.yaml"?`},
		{"file outside", []string{"axes.yaml: include: [../axes.yaml]"},
			`axes.yaml:1:11: cannot include "../axes.yaml": name a file of the catalogue's folder, without . or .. in its path`},
		{"absolute file", []string{"axes.yaml: include: [/axes.yaml]"},
			`axes.yaml:1:11: cannot include "/axes.yaml": name a file of the catalogue's folder, without . or .. in its path`},
		{"late include", []string{"axes.yaml: axes: []\ninclude: [net.yaml]"},
			`axes.yaml:2:10: include must be the first key: what it brings comes first`},
		{"include of nothing", []string{"axes.yaml: include: []\naxes: []"}, `axes.yaml:1:10: the list is empty`},
		{"file of other keys", []string{"axes.yaml: include: [profiles.yaml]\naxes: []"}, `profiles.yaml:1:1: unknown key "profiles"; there are include, axes`},
		{"empty file", []string{"axes.yaml: include: [net.yaml]", "net.yaml: "}, `net.yaml:1:1: the file is empty`},
		{"release", []string{"releases.yaml: include: [more.yaml]\n" + small["releases.yaml"], "more.yaml: releases: [{name: trixie, source: apt, repositories: [trixie]}]"},
			`releases.yaml:6:11: duplicate release "trixie", first in more.yaml:1`},
		{"version", []string{"components.yaml: include: [more.yaml]\n" + small["components.yaml"], "more.yaml: components: {qemu: {versions: {10.0: [bookworm]}}}"},
			`components.yaml:4:38: duplicate version of qemu "10.0", first in more.yaml:1`},
		{"axis", []string{"axes.yaml: include: [more.yaml]\n" + small["axes.yaml"], "more.yaml: axes: [{name: disk, title: T, values: [sata], default: sata}]"},
			`axes.yaml:8:11: duplicate axis "disk", first in more.yaml:1`},
		{"profile", []string{"profiles.yaml: include: [more.yaml]\n" + small["profiles.yaml"], "more.yaml: " + profile},
			`profiles.yaml:3:11: duplicate profile "smoke", first in more.yaml:1`},
	} {
		t.Run(m.about, func(t *testing.T) {
			got, err := Load(with(m.texts...))
			if err == nil || !strings.HasPrefix(err.Error(), "cannot load matrix: "+m.want) {
				t.Errorf("got  %v\nwant cannot load matrix: %s", err, m.want)
			}
			if got != nil {
				t.Error("the catalog is half-loaded")
			}
		})
	}
}

func TestAFileIsReadOnce(t *testing.T) {
	c, err := Load(with(
		"constraints.yaml: include: [a.yaml, b.yaml]\n"+small["constraints.yaml"],
		"a.yaml: include: [shared.yaml]", "b.yaml: include: [shared.yaml]",
		"shared.yaml: constraints: [{never: {qemu: 7.2, libvirt: 11.3}, why: torn}]",
	))
	if err != nil {
		t.Fatal(err)
	}
	var sources []string
	for _, k := range c.Constraints {
		sources = append(sources, k.Source)
	}
	if d := cmp.Diff([]string{"shared.yaml:1", "constraints.yaml:3", "constraints.yaml:5"}, sources); d != "" {
		t.Error(d)
	}
}
