package matrix

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Kind is the kind of hypervisor a stack is built around.
type Kind string

// The hypervisor kinds.
const (
	KVM Kind = "kvm"
	Xen Kind = "xen"
)

// Component names a versioned part of a stack.
type Component string

// The components of the hypervisor stacks.
const (
	Linux   Component = "linux"
	QEMU    Component = "qemu"
	XenHyp  Component = "xen"
	Libvirt Component = "libvirt"
)

// stackOrder is the order in which components appear in a cell's identity, by
// kind: from the bottom of the stack to the top.
var stackOrder = map[Kind][]Component{
	KVM: {Linux, QEMU, Libvirt},
	Xen: {Linux, XenHyp, Libvirt},
}

// Components returns the components of a kind's stack, bottom first, or nil
// for an unknown kind.
func (k Kind) Components() []Component { return stackOrder[k] }

// Composition tells how a cell's packages are put together.
type Composition string

const (
	// Native cells take every package from one release, installed by the
	// package manager in one root. They are the control for bundled cells.
	Native Composition = "native"
	// Bundled cells take at least one component from another release, or are put
	// together as if they did.
	Bundled Composition = "bundled"
)

// Choice is one component of a stack at one version.
type Choice struct {
	Component Component `json:"component"`
	// Version is the version as the matrix names it ("6.12"), the axis value.
	Version string `json:"version"`
	// Series is its upstream number where that is not its name.
	Series string `json:"series,omitempty"`
	// Release is the distribution release that serves this version.
	Release string `json:"release"`
	// Package is the full version of the component's leading package as the
	// source resolved it ("1:10.0.2+ds-2+deb13u1"). Empty until resolved.
	Package string `json:"package,omitempty"`
}

// Upstream is the upstream number of the version: what versions are compared by.
func (c Choice) Upstream() string { return cmp.Or(c.Series, c.Version) }

// ImageRef names one image that a cell's host is composed from.
type ImageRef struct {
	// Role is the recipe in fixtures that builds the image: "userland-kvm",
	// "userland-xen", "kernel-cloud", "kernel-full", "qemu", "xen".
	Role string `json:"role"`
	// Release is the distribution release whose packages go in.
	Release string `json:"release"`
	// Packages is the key of the package set in Plan.PackageSets.
	Packages string `json:"packages"`
}

// Cell is one stack of the plan together with the checks it must answer.
type Cell struct {
	// ID is the one readable identity, used as label, folder, selector and log
	// prefix: "kvm_linux-6.12_qemu-10.0_libvirt-11.3".
	ID   string `json:"id"`
	Kind Kind   `json:"kind"`
	// Tier says what its host is made of. It is always set.
	Tier        Tier        `json:"tier"`
	Composition Composition `json:"composition"`
	// Stack holds one choice per component, in the kind's order.
	Stack []Choice `json:"stack"`
	// Settings holds the value of each setting of the kind, in the catalogue's
	// order.
	Settings []Setting `json:"settings,omitempty"`
	// Userland is the release whose root file system carries libvirt.
	Userland string     `json:"userland"`
	Images   []ImageRef `json:"images,omitempty"`
	// Refused is why its packages cannot be installed, in the solver's words. Such a
	// cell has a candidate in it, and no images.
	Refused string `json:"refused,omitempty"`
	// Why says, a sentence each, why the cell is in the plan.
	Why []string `json:"why,omitempty"`
	// Baseline is the cell of the same plan that a change is judged against:
	// this one as it was before. Empty unless the plan is of a change.
	Baseline string         `json:"baseline,omitempty"`
	Checks   []PlannedCheck `json:"checks"`
}

// Setting is one axis that is no component at one of its values.
type Setting struct {
	Axis  string `json:"axis"`
	Value string `json:"value"`
	// Default is true for the value of cells that do not say; it is no part of
	// a cell's identity.
	Default bool `json:"default,omitempty"`
}

// CellID builds the identity of a stack, of the settings that are not the
// default, and of the tier unless that is Nested.
func CellID(kind Kind, tier Tier, stack []Choice, settings []Setting) string {
	var b strings.Builder
	b.WriteString(string(kind))
	for _, c := range stack {
		fmt.Fprintf(&b, "_%s-%s", c.Component, c.Version)
	}
	for _, s := range settings {
		if !s.Default {
			fmt.Fprintf(&b, "_%s-%s", s.Axis, s.Value)
		}
	}
	if tier != Nested {
		fmt.Fprintf(&b, "_%s-%s", TierAxis, tier)
	}
	return b.String()
}

// identity is the cell's ID: that of its tier, stack and settings, and of its
// composition where that is not what would be chosen for them.
func (c *Cell) identity() string {
	id := CellID(c.Kind, c.Tier, c.Stack, c.Settings)
	if c.Twin() {
		id += fmt.Sprintf("_%s-%s", CompositionAxis, c.Composition)
	}
	return id
}

// Twin says whether the cell is the bundled twin of a native one: all of its packages
// are of one release, put together as if they were of two. It is the control of
// bundling.
func (c *Cell) Twin() bool {
	return c.Composition == Bundled && !slices.ContainsFunc(c.Stack, func(s Choice) bool { return s.Release != c.Userland })
}

// BundlesQEMU says whether the cell's emulator lies beside its userland, which is so for one
// of another release, and in a twin. Such a container has a privilege to start it with
// (CAP_SYS_ADMIN) that others do without.
func (c *Cell) BundlesQEMU() bool {
	qemu, ok := c.Choice(QEMU)
	return ok && (qemu.Release != c.Userland || c.Twin())
}

// Value returns the cell's value on an axis, component or setting; ok is false
// when the cell has no such axis.
func (c *Cell) Value(axis string) (value string, ok bool) {
	if choice, ok := c.Choice(Component(axis)); ok {
		return choice.Version, true
	}
	for _, s := range c.Settings {
		if s.Axis == axis {
			return s.Value, true
		}
	}
	return "", false
}

// Choice returns the cell's choice for a component; ok is false when the stack
// has no such component.
func (c *Cell) Choice(comp Component) (choice Choice, ok bool) {
	for _, s := range c.Stack {
		if s.Component == comp {
			return s, true
		}
	}
	return Choice{}, false
}

// Image returns the reference of the image with the given role; ok is false
// when the cell is composed without one.
func (c *Cell) Image(role string) (ref ImageRef, ok bool) {
	for _, i := range c.Images {
		if i.Role == role {
			return i, true
		}
	}
	return ImageRef{}, false
}

// String returns the cell's identity.
func (c *Cell) String() string { return c.ID }

// PlannedCheck is one question that a cell must answer.
type PlannedCheck struct {
	ID string `json:"id"`
	// Asserts is the behaviour in one sentence.
	Asserts string `json:"asserts,omitempty"`
	// Family is the folder of its body below suites.
	Family string `json:"family,omitempty"`
	// Tier is the cell's: where the check is exercised.
	Tier Tier `json:"tier"`
	// Unsupported holds the reason why the check does not apply to the cell.
	// Empty when it applies.
	Unsupported string `json:"unsupported,omitempty"`
	// Refused is why the add-ons of its hosts cannot be had above the cell's stack.
	Refused string `json:"refused,omitempty"`
	// AskedIn is the cell of the plan that answers for this one, because what the
	// answer depends on is the same there. Empty when this cell answers itself.
	AskedIn string `json:"asked_in,omitempty"`
	// Against is the cell of the plan that has the older version which the check
	// compares this cell's with. Empty when it compares nothing.
	Against string `json:"against,omitempty"`
	// Depends are the axes that the answer depends on; nil is all.
	Depends []string `json:"depends,omitempty"`
	// Boot says that the check answers for the boot of this cell's hosts. It is the
	// cell's first.
	Boot bool `json:"boot,omitempty"`
	// Hosts are those that the check works on.
	Hosts Hosts `json:"hosts,omitzero"`
	// Isolation says what the check shares its host with.
	Isolation Isolation `json:"isolation,omitempty"`
	// Relied is who relies on what it asserts.
	Relied []Reliance `json:"relied,omitempty"`
}

// Isolation says what a check shares its host with.
type Isolation string

const (
	// IsolateCell is the default: the checks of a cell run on one host one after
	// another, as long as it is well.
	IsolateCell Isolation = "cell"
	// IsolateCheck gives a check a pristine host, which ends with it.
	IsolateCheck Isolation = "check"
)

// Isolations lists them, the default first.
func Isolations() []Isolation { return []Isolation{IsolateCell, IsolateCheck} }
