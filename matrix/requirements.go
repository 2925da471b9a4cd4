package matrix

import (
	"fmt"
	"slices"
	"strings"

	debversion "github.com/knqyf263/go-deb-version"
)

// Requirement is what a cell must be for a check to be asked of it: one word of
// the vocabulary, or what Since returns.
type Requirement string

// The vocabulary.
const (
	// KVMStack and XenStack are the stacks around these hypervisors.
	KVMStack Requirement = "kvm"
	XenStack Requirement = "xen"
	// Contained is a host that costs seconds: what is asked of its programs alone.
	Contained Requirement = "contained"
	// OwnKernel is a host that runs the cell's kernel.
	OwnKernel Requirement = "own-kernel"
	// HostKVM is KVM of the cell's kernel.
	HostKVM Requirement = "host-kvm"
	// OwnQEMU is the emulator of the userland's own release.
	OwnQEMU Requirement = "own-qemu"
	// AppArmor confines the guests.
	AppArmor Requirement = "apparmor"
	// Deployment is a host that runs from an OSTree deployment.
	Deployment Requirement = "deployment"
	// SharedFolder is a folder that all hosts of a check see.
	SharedFolder Requirement = "shared-folder"
	// Privileged is a host whose daemons have all privileges.
	Privileged Requirement = "privileged"
	// Delivered is a cell of a candidate: packages that are not released yet.
	Delivered Requirement = "candidate"
	// RepositoryFiles, Debuginfo and Sources are cells of a candidate whose release publishes
	// these (Publishes), of which the last two are asked of what comes from a repository.
	RepositoryFiles Requirement = "repository-files"
	Debuginfo       Requirement = "debuginfo"
	Sources         Requirement = "sources"
	// Pristine is a host that no other check has used. Every cell can give it one.
	Pristine Requirement = "pristine"
)

// Since requires the first version of a component that has an interface.
func Since(comp Component, version string) Requirement {
	return Requirement(fmt.Sprintf("%s %s %s", since, comp, version))
}

// SinceEmulated requires it only where L0 emulates the processors of L1 (Catalog.On): what
// their emulator cannot do with an older version is no statement about that.
func SinceEmulated(comp Component, version string) Requirement {
	return Since(comp, version) + whereEmulated
}

const (
	since         = "since"
	whereEmulated = " where emulated"
)

// emulated says that it is required only where L1 is emulated.
func (r Requirement) emulated() bool { return strings.HasSuffix(string(r), whereEmulated) }

// condition is met by some cells. Its zero fields exclude none.
type condition struct {
	kind      Kind
	tier      Tier
	ownQEMU   bool
	setting   Setting
	candidate bool
	// why is the reason of a check that is not asked of the others.
	why string
}

// vocabulary holds the conditions of each word, in the order in which they are
// told.
var vocabulary = map[Requirement][]condition{
	KVMStack:  {{kind: KVM, why: "qemu is no component of the xen stack"}},
	XenStack:  {{kind: Xen, why: "there is no Xen in the kvm stack"}},
	OwnKernel: {{tier: Nested, why: "asks the host's own kernel, and a container has that of L0"}},
	Contained: {{tier: Container, why: "asked in a container alone: what it needs of the host is there, and a machine takes minutes for it"}},
	HostKVM: {
		{kind: KVM, why: "the guests of a xen host run on Xen, which keeps SVM to itself"},
		{tier: Nested, why: "asks KVM of the host's own kernel, and a container has that of L0"},
	},
	OwnQEMU: {
		{kind: KVM, why: "qemu is no component of the xen stack"},
		{ownQEMU: true, why: "an emulator of another release is started with a privilege that users do not have"},
	},
	AppArmor: {
		{kind: KVM, why: "libvirt confines no guests of Xen with AppArmor"},
		{tier: Nested, why: "AppArmor belongs to the kernel, and a container has L0's"},
		{setting: Setting{Axis: "security", Value: "apparmor"}, why: "libvirt of the cell confines guests with another security driver, or with none"},
	},
	Deployment: {
		{kind: KVM, why: "only hosts of kvm boot from media"},
		{setting: Setting{Axis: MediaAxis, Value: "ostree"}, why: "asks a host that runs from an OSTree deployment, and the cell's comes up another way"},
	},
	SharedFolder: {{tier: Container, why: "needs a folder that both hosts see, and machines share none"}},
	Privileged:   {{tier: Nested, why: "takes privileges that the daemons of a container do not have"}},
	Delivered:    {{candidate: true, why: "asks how packages are delivered that are not released yet, and the cell has none"}},
	Pristine:     nil,
	// Where they are no question a delivery is not asked them.
	RepositoryFiles: nil, Debuginfo: nil, Sources: nil,
}

// Requirements lists the vocabulary, without what Since returns.
func Requirements() []Requirement {
	words := make([]Requirement, 0, len(vocabulary))
	for r := range vocabulary {
		words = append(words, r)
	}
	slices.Sort(words)
	return words
}

// verify says whether there is such a requirement.
func (r Requirement) verify() error {
	if _, ok := vocabulary[r]; ok {
		return nil
	}
	comp, version, ok := r.since()
	switch {
	case !ok:
		return Unknown("requirement", string(r), append(plain(Requirements()), since+" COMPONENT VERSION"))
	case !slices.Contains(components(), comp):
		return Unknown("component", string(comp), plain(components()))
	case !debversion.Valid(version):
		return fmt.Errorf("requirement %q: %q is not a version", r, version)
	}
	return nil
}

// since parts the component and its version; ok is false for a word of the
// vocabulary.
func (r Requirement) since() (comp Component, version string, ok bool) {
	words := strings.Fields(strings.TrimSuffix(string(r), whereEmulated))
	if len(words) != 3 || words[0] != since {
		return "", "", false
	}
	return Component(words[1]), words[2], true
}

// possible says whether cells on hosts of a type can meet the requirement.
func (r Requirement) possible(on hostType) bool {
	if comp, _, ok := r.since(); ok {
		return slices.Contains(on.kind.Components(), comp)
	}
	return !slices.ContainsFunc(vocabulary[r], func(c condition) bool { return !c.possible(on) })
}

func (c condition) possible(on hostType) bool {
	return (c.kind == "" || c.kind == on.kind) && (c.tier == "" || c.tier == on.tier)
}

// UnmetEmulated returns why a cell whose L1 is emulated does not meet the requirement where it
// is one that holds only there, or "".
func (r Requirement) UnmetEmulated(cell *Cell) string {
	if !r.emulated() {
		return ""
	}
	return r.unmet(cell)
}

// unmet returns why a cell does not meet the requirement, or "" when it does.
func (r Requirement) unmet(cell *Cell) string {
	if comp, version, ok := r.since(); ok {
		has, ok := cell.Choice(comp)
		switch {
		case !ok:
			return fmt.Sprintf("%s is no component of the %s stack", comp, cell.Kind)
		case Compare(has.Upstream(), version) < 0 && r.emulated():
			return fmt.Sprintf("needs %s %s on an emulated host, the cell has %s", comp, version, has.Version)
		case Compare(has.Upstream(), version) < 0:
			return fmt.Sprintf("needs %s %s, the cell has %s", comp, version, has.Version)
		}
		return ""
	}
	for _, c := range vocabulary[r] {
		value, _ := cell.Value(c.setting.Axis)
		if !c.possible(cell.hostType()) || value != c.setting.Value || c.ownQEMU && cell.BundlesQEMU() ||
			c.candidate && cell.Candidate() == "" {
			return c.why
		}
	}
	return ""
}
