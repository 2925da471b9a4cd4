package matrix

import "slices"

// Hosts describes the hosts that a check works on. The zero value is one host as
// all cells have it. Checks whose hosts are described alike may share them.
type Hosts struct {
	// None is for a check that asks what images hold: it needs no host.
	None bool `json:"none,omitempty"`
	// Count is how many hosts there are; 0 is one. Several are reserved together,
	// have identities of their own and reach each other.
	Count int `json:"count,omitempty"`
	// Each adds a host for every other version of the component in the plan, of the first
	// cell that has it.
	Each Component `json:"each,omitempty"`
	// Of are the cells of the hosts after the first, as planned. Without, all are of the
	// check's own cell.
	Of []string `json:"of,omitempty"`
	// CPUs and MemoryMB are the size of each; 0 is the usual one.
	CPUs     int `json:"cpus,omitempty"`
	MemoryMB int `json:"memory_mb,omitempty"`
	// Cold hosts boot: no saved state stands in for what a boot does.
	Cold bool `json:"cold,omitempty"`
	// Network lets a host make networks of its own, where its tier does not anyway.
	Network bool `json:"network,omitempty"`
	// Mounts lets a host mount file systems of its own, where its tier does not anyway.
	Mounts bool `json:"mounts,omitempty"`
	// Sandboxes lets programs of a host shut themselves in by namespaces of their own, where
	// its tier does not anyway.
	Sandboxes bool `json:"sandboxes,omitempty"`
	// Earlier are the components of which the second host has the version before the
	// cell's: its stack is the one that a rebase of them starts from. Such a check
	// depends on everything, of both stacks.
	Earlier []Component `json:"earlier,omitempty"`
	// Over is how many versions lie between these and the cell's.
	Over int `json:"over,omitempty"`
	// Moves is the way that the packages of the one host move under its guests, between
	// the stack that Earlier tells, or a change's baseline, and the cell's own.
	Moves Move `json:"moves,omitempty"`
	// AddOns are packages of the cell's own release that the host can have above its
	// stack. They may replace nothing of its root. Of "a | b" it has the first that the
	// release has, as in a dependency of Debian's.
	AddOns []string `json:"add_ons,omitempty"`
	// Added is the key of what they bring that the root lacks, among the plan's package
	// sets, as planned.
	Added string `json:"added,omitempty"`
	// Root is the image of a machine's root that has the add-ons from the start, as planned:
	// an emulated one would install them for minutes.
	Root ImageRef `json:"root,omitzero"`
	// Machine is an image that the host sees and guests boot whole, of the cell's own
	// release: a check names its role, and the rest is as planned.
	Machine ImageRef `json:"machine,omitzero"`
}

// Move is a way that packages go in place.
type Move string

// An upgrade ends at the stack of the cell that is asked, a downgrade starts there.
const (
	Upgrade   Move = "upgrade"
	Downgrade Move = "downgrade"
)

// Stack is the cell whose stack the host of a role begins with, when the check is asked
// of a cell.
func (h Hosts) Stack(role int, cell string) string {
	switch {
	case len(h.Of) == 0:
		return cell
	case h.Moves == Upgrade:
		return h.Of[0]
	case h.Moves == Downgrade, role == 0:
		return cell
	}
	return h.Of[role-1]
}

// Goal is the cell whose packages the host ends with; empty where none move.
func (h Hosts) Goal(cell string) string {
	switch {
	case h.Moves == Upgrade:
		return cell
	case h.Moves == Downgrade && len(h.Of) > 0:
		return h.Of[0]
	}
	return ""
}

// above says that the host has something above its stack.
func (h Hosts) above() bool { return len(h.AddOns) > 0 || h.Machine.Role != "" }

// Images are those that a check's hosts have beside their cells' own, as planned.
func (h Hosts) Images() []ImageRef {
	return slices.DeleteFunc([]ImageRef{h.Root, h.Machine}, func(ref ImageRef) bool { return ref.Packages == "" })
}

// Others are the cells of the plan whose images the check works on besides its own.
func (p *PlannedCheck) Others() []string {
	if p.Against == "" {
		return p.Hosts.Of
	}
	return append([]string{p.Against}, p.Hosts.Of...)
}
