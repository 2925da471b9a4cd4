// Package probe is what the harness asks of L1's kernel through system calls
// that no shell can make. The program l1probe below runs in L1 and prints one
// of the answers here as a line of JSON; the checks judge it.
package probe

// Program is the name of the program among L1's tools.
const Program = "l1probe"

// The questions, each the program's first argument.
const (
	// AskKVM runs a guest of a few instructions; the answer is a KVM.
	AskKVM = "kvm"
	// AskDeviceFilter CGROUP attaches a device filter to a control group, and
	// works in it from then on; the answer is a DeviceFilter.
	AskDeviceFilter = "device-filter"
	// AskPacket NETNS FROM TO sends a datagram from an address of this network
	// namespace to a port in another one, named by its path; the answer is a
	// Packet.
	AskPacket = "packet"
	// AskCapabilities asks KVM what it can; the answer is Capabilities.
	AskCapabilities = "capabilities"
	// AskVhost DEVICE asks a device of vhost what it can; the answer is a Vhost.
	AskVhost = "vhost"
	// AskFault has a thread wait for a page and gives it one; the answer is a Fault.
	AskFault = "fault"
)

// KVM is how the kernel ran a guest of a few instructions. The numbers are of
// the kernel's interface (Documentation/virt/kvm/api.rst).
type KVM struct {
	// APIVersion is the answer to KVM_GET_API_VERSION; 0 when it was not asked.
	APIVersion int `json:"api_version"`
	// Exits are the guest's, in order, up to its halt.
	Exits []Exit `json:"exits"`
	// Memory is the byte at Result of the guest's memory after it halted.
	Memory byte `json:"memory"`
	// Error is why the guest did not run to its end; empty when it did.
	Error string `json:"error,omitempty"`
}

// Reasons of exits.
const (
	ExitIO  = 2
	ExitHLT = 5
)

// Exit is why KVM_RUN returned. All but Reason are of ExitIO alone.
type Exit struct {
	Reason uint32 `json:"reason"`
	Out    bool   `json:"out,omitempty"`
	Port   uint16 `json:"port,omitempty"`
	Data   []byte `json:"data,omitempty"`
}

// Port is where the guest writes the digit that it computed, and then a
// newline; Result is the address that it stores the digit at.
const (
	Port   = 0x3f8
	Result = 0x2000
)

// Operands of the guest's sum. They are handed to it in registers, so that the
// digit cannot be but computed.
const (
	OperandA = 2
	OperandB = 5
)

// DeviceFilter is what opening devices gave under a filter that lets through
// what its map holds, as libvirt's does (src/util/virbpf.c): empty for success
// and the name of the error otherwise.
type DeviceFilter struct {
	// AllowedNull and AllowedZero are /dev/null, which is in the map, and
	// /dev/zero, which is not.
	AllowedNull string `json:"allowed_null"`
	AllowedZero string `json:"allowed_zero"`
	// AddedZero is /dev/zero once it was put into the map, DetachedFull is
	// /dev/full, never in the map, once the filter was gone.
	AddedZero    string `json:"added_zero"`
	DetachedFull string `json:"detached_full"`
	// Error is why the filter could not be used; empty when it could.
	Error string `json:"error,omitempty"`
}

// Packet is how a datagram arrived.
type Packet struct {
	// Source is the address that the receiver saw.
	Source string `json:"source"`
	// Error is why it did not arrive; empty when it did.
	Error string `json:"error,omitempty"`
}

// Capabilities are what the kernel's KVM says that it can, and what processor a guest
// may have.
type Capabilities struct {
	// Extensions are the answers to KVM_CHECK_EXTENSION that are not 0, by number.
	Extensions map[int]int `json:"extensions"`
	// CPUID are the registers of KVM_GET_SUPPORTED_CPUID, by "leaf.subleaf", in
	// hexadecimal: eax, ebx, ecx, edx.
	CPUID map[string][4]uint32 `json:"cpuid"`
	Error string               `json:"error,omitempty"`
}

// Vhost is what a device of vhost answers.
type Vhost struct {
	// Features is the answer to VHOST_GET_FEATURES.
	Features uint64 `json:"features"`
	Error    string `json:"error,omitempty"`
}

// Fault is how a page that was missing came to a process, by userfaultfd.
type Fault struct {
	// Read is the byte that the process read of the page, Given the one that it was filled with.
	Read  byte   `json:"read"`
	Given byte   `json:"given"`
	Error string `json:"error,omitempty"`
}
