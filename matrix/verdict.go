package matrix

// Verdict is the fixed word that a planned check ends with.
type Verdict string

// The verdicts. Only Pass and Unsupported never ask anything of a maintainer.
const (
	// Pass: the check ran and held.
	Pass Verdict = "PASS"
	// Fail: the product did not behave.
	Fail Verdict = "FAIL"
	// Known: failed, and a known-issue rule matched version and failure text.
	Known Verdict = "KNOWN"
	// Fixed: a known-issue rule applies, but the check passed.
	Fixed Verdict = "FIXED"
	// Unsupported: not applicable to this cell, with the plan's reason.
	Unsupported Verdict = "UNSUPPORTED"
	// Blocked: an earlier step that the check needs failed.
	Blocked Verdict = "BLOCKED"
	// Infra: our fault or the machine's; no answer about the product.
	Infra Verdict = "INFRA"
	// Missing: planned, but there is no result.
	Missing Verdict = "MISSING"
)

// Verdicts lists all verdicts in the order reports count them.
var Verdicts = []Verdict{Pass, Fail, Known, Fixed, Unsupported, Blocked, Infra, Missing}

// Layer is the part of the tower that a failure is attributed to.
type Layer string

// The layers, from the machine upwards.
const (
	LayerL0         Layer = "L0"
	LayerKernel     Layer = "L1 kernel"
	LayerHypervisor Layer = "L1 hypervisor"
	LayerManagement Layer = "L1 management"
	LayerL2         Layer = "L2"
	LayerHarness    Layer = "harness"
	// LayerDelivery is how packages come to a host, before there is one, or by the medium
	// that it boots from.
	LayerDelivery Layer = "delivery"
)
