package matrix

import "slices"

// Tier says what the host of a cell is made of, and so how its checks are
// exercised.
type Tier string

// The tiers, the cheapest first.
const (
	// Container hosts are containers on L0: libvirtd and qemu of any version on
	// L0's kernel. Of the cell's linux they have nothing; only L2 boots it.
	Container Tier = "container"
	// Nested hosts are machines that L0 boots, with the cell's own kernel. Cells
	// that do not say are nested.
	Nested Tier = "nested"
)

// Tiers lists all tiers, the cheapest first.
func Tiers() []Tier { return []Tier{Container, Nested} }

// kindTiers lists the tiers that a kind's hosts can have. Xen is the host's own
// hypervisor, so its hosts are machines.
var kindTiers = map[Kind][]Tier{KVM: {Container, Nested}, Xen: {Nested}}

// Tiers lists the tiers that hosts of a kind can have, the cheapest first.
func (k Kind) Tiers() []Tier { return kindTiers[k] }

// TierAxis is how a cell's identity and the conditions of constraints call the
// tier.
const TierAxis = "tier"

// hostType is the tier of a host, and the hypervisor on it.
type hostType struct {
	tier Tier
	kind Kind
}

// hostTypes lists all kinds on all their tiers.
func hostTypes() []hostType {
	var out []hostType
	for _, kind := range Kinds() {
		for _, tier := range kind.Tiers() {
			out = append(out, hostType{tier, kind})
		}
	}
	return out
}

// String returns "kvm", or "kvm container" for a tier that has to be said.
func (t hostType) String() string {
	if t.tier == Nested {
		return string(t.kind)
	}
	return string(t.kind) + " " + string(t.tier)
}

func (c *Cell) hostType() hostType { return hostType{c.Tier, c.Kind} }

// readTier reads a tier that cells of a kind can have.
func readTier(to *Tier, kind Kind) reader {
	return func(n node) error {
		if err := word(to, "tier", Tiers())(n); err != nil {
			return err
		}
		if !slices.Contains(kind.Tiers(), *to) {
			return n.errorf("a %s cell cannot be of the tier %s: its hosts are only %s", kind, *to, listed(plain(kind.Tiers())))
		}
		return nil
	}
}
