package matrix

import "slices"

// Axis is one thing that cells vary: a component with the versions under test,
// or a setting of the host or of its guests.
type Axis struct {
	// Name is how cells, flags and constraints call it: "linux", "firmware".
	Name string
	// Component is the component whose versions are the values; empty for a
	// setting.
	Component Component
	// Title says in a line what a setting does; empty for a component.
	Title string
	// Kinds have the axis.
	Kinds []Kind
	// Values are in their order: a component's oldest first, a setting's as the
	// file has them.
	Values []Value
	// Default is a setting's value in cells that do not say. "{qemu}" in it
	// stands for the cell's version of that component.
	Default string
	// Packages are those of a component whose metadata states what it needs and
	// breaks, by kind, as patterns of path.Match: "xen-utils-4.*".
	Packages map[Kind][]string
}

// Value is one value of an axis.
type Value struct {
	// Name is a setting's word ("uefi"), or what a build of a component is called
	// ("9.0-rebuild").
	Name string
	// Series is the upstream number of such a build ("9.0"), empty when it is the name.
	Series string
	// Releases serve a component's version, the preferred one first.
	Releases []string
	// Weight says how much the value matters when a budget leaves some out; 1
	// unless the file says.
	Weight float64
}

// Constraint is a combination that no cell may have, and why.
type Constraint struct {
	// Kind is the only kind that it is about; empty for each that has its axes.
	Kind Kind
	// Emulated says that it holds only where L0 emulates the processors of L1.
	Emulated bool
	// Chosen says that it is about values that are chosen, and not about the
	// default of a setting: a default that cannot be had promises nothing.
	Chosen bool
	// Never holds when all its conditions do.
	Never []Condition
	// Why is the reason, a sentence for people.
	Why string
	// Source is where it is known from: "constraints.yaml:12", or the package,
	// its version, its release and the field that states it.
	Source string
}

// Condition holds for some values of one axis.
type Condition struct {
	Axis string
	// Values are all that it holds for, in the axis's order.
	Values []string
	// Text is the condition as it was written: "< 7.2".
	Text string
}

// CompositionAxis is an axis that conditions may name besides those of the
// catalogue: whether a cell's packages come from one release. TierAxis is the
// other.
const CompositionAxis = "composition"

// Cover asks for the cells that contain each combination of the values of any
// Strength axes that constraints allow.
type Cover struct {
	Kind Kind
	// Tier is that of the cells that count. What a container has seen says nothing
	// of the cell's own kernel, so it counts for no nested cover.
	Tier Tier
	// Strength is t, from 1 to cover.MaxStrength.
	Strength int
	// Axes vary; the others of the kind have their default.
	Axes []Varied
	// Every names axes of which all allowed combinations have a cell.
	Every []string
	// Exclude are combinations that this cover leaves out.
	Exclude []Constraint
	// Checks are the IDs to plan on cells that are there for their combination of values
	// alone; nil for those of the profile.
	Checks []string
}

// Takes says whether its cells may have a value of an axis that its kind has: any, of one
// that it does not speak of.
func (c *Cover) Takes(axis, value string) bool {
	at := slices.IndexFunc(c.Axes, func(v Varied) bool { return v.Axis == axis })
	return at < 0 || slices.Contains(c.Axes[at].Values, value)
}

// Varied is an axis and the values that it takes.
type Varied struct {
	Axis   string
	Values []string
}
