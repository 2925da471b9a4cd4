package reports

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/virtmatrix/virtmatrix/matrix"
)

// facts are what a reader must know about a run, each in a few words.
func (run *Run) facts() []string {
	facts := []string{
		"profile " + oneline(run.Profile, 80),
		fmt.Sprintf("plan %.12s", run.Plan),
	}
	if len(run.Harness) > 0 {
		facts = append(facts, "virtmatrix "+oneline(some(run.Harness, 2), 120))
	}
	if !run.Started.IsZero() {
		facts = append(facts, "started "+run.Started.UTC().Format("2006-01-02 15:04 UTC"),
			duration(run.WallSeconds)+" in all", duration(run.GuestSeconds)+" waiting for guests")
	}
	if s := accelerators(run.Accelerators); s != "" {
		facts = append(facts, s)
	}
	if len(run.Emulators) > 0 {
		facts = append(facts, "L0 emulator "+oneline(some(run.Emulators, 2), 160))
	}
	return facts
}

// facts are those of the run, and what it was about.
func (m *Matrix) facts() []string {
	facts := m.Run.facts()
	if n := fromCache(m.Results); n > 0 {
		facts = append(facts, fmt.Sprintf("%s, not of this run", number(n, "answer")+" from the cache"))
	}
	if all := sum(m.trials()); all.Stalls > 0 {
		facts = append(facts, fmt.Sprintf("%d of %s on emulated hosts stalled", all.Stalls, number(all.Attempts, "attempt")))
	}
	if c := m.Change; c != nil {
		facts = append(facts, oneline(fmt.Sprintf("change of %s from %s to %s", c.Axis, c.From, c.To), 200))
	}
	if fact := m.tierFact(); fact != "" {
		facts = append(facts, fact)
	}
	facts = append(facts, m.coverageFacts()...)
	for _, n := range m.Run.Notes {
		facts = append(facts, oneline(n, 400))
	}
	return facts
}

// variedSettings lists the settings that are not the default in all cells.
func variedSettings(cells []Cell) []string {
	var axes []string
	for _, c := range cells {
		for _, s := range c.Settings {
			if !s.Default && !slices.Contains(axes, s.Axis) {
				axes = append(axes, s.Axis)
			}
		}
	}
	return axes
}

// settingOf is a cell's value of a setting.
func settingOf(c Cell, axis string) string {
	for _, s := range c.Settings {
		if s.Axis == axis {
			return s.Value
		}
	}
	return "–"
}

// accelerators writes {"L1": ["tcg"]} as "L1 tcg".
func accelerators(byLayer map[string][]string) string {
	var parts []string
	for _, layer := range sortedKeys(byLayer) {
		parts = append(parts, oneline(layer+" "+strings.Join(byLayer[layer], "/"), 80))
	}
	return strings.Join(parts, ", ")
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// leadingNames are the packages that carry a component, by the beginnings of
// their names: what a maintainer looks for first in a package set.
var leadingNames = []string{
	"linux-image-", "linux-binary-", "kernel", "kernel-core", "kernel-ml", "kernel-lt",
	"qemu-system-x86", "qemu-kvm", "qemu-kvm-ev", "qemu-kvm-core", "seabios",
	"libvirt-daemon", "libvirt0", "libvirt-libs",
	"xen-hypervisor", "xen-hypervisor-", "xen-runtime", "xen-utils-", "libxenmisc",
}

// leading returns the packages of a set that carry a component.
func leading(set matrix.PackageSet) []matrix.Package {
	var out []matrix.Package
	for _, p := range set.Packages {
		for _, name := range leadingNames {
			exact := p.Name == name
			family := strings.HasSuffix(name, "-") && strings.HasPrefix(p.Name, name) && !strings.HasSuffix(p.Name, "-common")
			if exact || family {
				out = append(out, p)
				break
			}
		}
	}
	return out
}

// image is one image of a cell's host with what is known of its packages.
type image struct {
	Role    string           `json:"role"`
	Release string           `json:"release"`
	Key     string           `json:"key"`
	Count   int              `json:"count"`
	Leading []matrix.Package `json:"leading,omitempty"`
	// From are the repositories with what vouches for them, where these are declared.
	From []string `json:"from,omitempty"`
}

// images returns what a cell's host is made of. The record's own package sets
// win over the plan's: they are what really ran.
func (m *Matrix) images(c *Cell, r *Result) []image {
	var out []image
	for _, ref := range c.Images {
		key := ref.Packages
		if r.Record != nil && r.Record.PackageSets[ref.Role] != "" {
			key = r.Record.PackageSets[ref.Role]
		}
		set := m.PackageSets[key]
		shown := image{Role: ref.Role, Release: ref.Release, Key: key, Count: len(set.Packages), Leading: leading(set)}
		for _, o := range set.Repositories {
			shown.From = append(shown.From, oneline(o.String(), 200))
		}
		out = append(out, shown)
	}
	return out
}
