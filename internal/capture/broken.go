package capture

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// versioned are names of what never changes: CPU models and machine types with a
// version (QEMU's docs/system/cpu-models-x86.rst.inc and docs/about/deprecated.rst).
var versioned = regexp.MustCompile(`^[^/]*(-v\d+|-\d+\.\d+)(/|$)`)

// PinnedTo is the fact that says on which machine CPU models were expanded.
const PinnedTo = "machine"

// pinned says whether something is different that never changes. What has no version
// may be different in each release, but it must be there; and what two machines make
// of a model says nothing.
func pinned(c *comparison, change ChangeOf, path string, _, _ Fact) bool {
	if !strings.Contains(path, "/") {
		return path != PinnedTo
	}
	return versioned.MatchString(path) && (change == Removed || c.old[PinnedTo].Value == c.new[PinnedTo].Value)
}

// staleState says whether a state of the old version is refused: the new one reads none
// so old, or writes an older one itself, or has fewer parts and skips none.
func staleState(c *comparison, change ChangeOf, path string, was, is Fact) bool {
	if change == Removed {
		owner, _ := split(path)
		skips := readState(c.new[owner].Value).spare > readState(c.old[owner].Value).spare
		return owner == "" || !skips && parts(c.new, owner) < parts(c.old, owner)
	}
	old, new := readState(was.Value), readState(is.Value)
	// A state without a version is that of a device which could not be migrated.
	return old.version > 0 && (new.version < old.version || new.minimum > old.version)
}

// parts counts what must be in a state. As many as before have other names.
func parts(facts map[string]Fact, of string) (n int) {
	for path, f := range facts {
		if owner, _ := split(path); owner == of && !f.Optional {
			n++
		}
	}
	return n
}

// state is what a fact of a state says: "version 3, minimum 2, spare 8".
type state struct{ version, minimum, spare int }

func readState(text string) (s state) {
	for part := range strings.SplitSeq(text, ", ") {
		word, number, _ := strings.Cut(part, " ")
		n, _ := strconv.Atoi(number)
		switch word {
		case "version":
			s.version = n
		case "minimum":
			s.minimum = n
		case "spare":
			s.spare = n
		}
	}
	return s
}

// hosting are the symbols of a kernel that hosts and guests are made with.
var hosting = regexp.MustCompile(`^(KVM|VIRTIO|VIRTUALIZATION|VHOST|VFIO|VSOCK|XEN|TUN$|TAP$|MACV|BRIDGE|VETH|VLAN|BPF|CGROUP|MEMCG|CPUSETS|.*_NS$|HUGETLB|TRANSPARENT_HUGEPAGE|.*IOMMU|BLK_DEV_(LOOP|NBD|DM|THROTTLING)|DM_|9P_|NET_9P|FUSE|VIRTIOFS|SECCOMP|USERFAULTFD|KSM|NF_|NFT_|NETFILTER|IP6?_NF|NET_SCH|NET_CLS|NET_ACT|SCSI_VIRTIO|DRM_(VIRTIO|QXL|BOCHS)|HYPERV|HW_RANDOM|I6300|ITCO|PVPANIC|FW_CFG|(SQUASHFS|OVERLAY_FS|EXT4_FS|XFS_FS)$)`)

// lessBuilt says whether a kernel is built with less of what virtualization needs: y,
// then m, then n. A symbol that is gone was renamed, or is always on.
func lessBuilt(_ *comparison, _ ChangeOf, path string, was, is Fact) bool {
	return hosting.MatchString(path) && !strings.HasSuffix(path, "_WERROR") && built[is.Value] < built[was.Value]
}

// built ranks how a symbol is set.
var built = map[string]int{"y": 2, "m": 1}

// entered are the notes without which Xen's loaders refuse a kernel (Xen's
// common/libelf/libelf-dominfo.c, elf_xen_note_check), and QEMU's direct boot (PHYS32_ENTRY).
var entered = regexp.MustCompile(`^notes/(ENTRY|GUEST_OS|PHYS32_ENTRY|VIRT_BASE|XEN_VERSION)$`)

// unloadable says whether a kernel is packed in another way, or lacks a way to be entered.
func unloadable(_ *comparison, change ChangeOf, path string, _, _ Fact) bool {
	if change == Changed {
		return path == "packing"
	}
	return strings.HasPrefix(path, "loads/") || entered.MatchString(path)
}

// lessOffered says whether a hypervisor is built with less, or has another number of an
// interface: it refuses calls with any other than its own.
func lessOffered(_ *comparison, change ChangeOf, path string, was, is Fact) bool {
	if strings.HasPrefix(path, "configuration/") {
		return change == Changed && built[is.Value] < built[was.Value]
	}
	return true
}

// outermost says whether something is gone that belongs to nothing else: of the rest its
// users see only what it does.
func outermost(_ *comparison, _ ChangeOf, path string, _, _ Fact) bool {
	return !strings.Contains(path, "/")
}

// offered says whether something is gone that was there to be used.
func offered(_ *comparison, _ ChangeOf, path string, _, _ Fact) bool {
	return !strings.HasSuffix(path, "/=no")
}

// called are files that something calls or loads by its name: programs, and what libvirt
// is extended by.
var called = regexp.MustCompile(`^/usr/s?bin/|/libvirt/[a-z]+-(driver|backend|file)/[^/]+\.so$`)

// reached says whether a file is gone that something calls, or one is open to others than
// before. A folder that is gone is made when it is needed, and a link has no mode.
func reached(_ *comparison, change ChangeOf, path string, was, is Fact) bool {
	if change == Changed {
		both := func(kind string) bool { return strings.HasPrefix(was.Value, kind) && strings.HasPrefix(is.Value, kind) }
		return both("-") || both("d")
	}
	return strings.HasPrefix(was.Value, "-rwx") && !strings.HasPrefix(path, "/usr/share/") || called.MatchString(path)
}

// Planted is the name of what no image has.
const Planted = "virtmatrix-planted"

// planted is what an older version had of a kind, and a newer has, whose loss is a
// finding, where the mere absence of a fact is none.
var planted = map[string][2]Fact{
	"kconfig":  {{Path: "KVM_PLANTED", Value: "y"}, {Path: "KVM_PLANTED", Value: "n"}},
	Hypervisor: {{Path: "calls/" + Planted}},
	"payload":  {{Path: "loads/" + Planted}},
	"files":    {{Path: "/usr/bin/" + Planted, Value: "-rwxr-xr-x root root"}},
	"xenfiles": {{Path: "/usr/bin/" + Planted, Value: "-rwxr-xr-x root root"}},
}

// Plant gives the older of two sets something that the newer lacks, as a control.
func Plant(old, new Set) (Set, Set) {
	facts, special := planted[old.Kind]
	if !special {
		facts[0].Path = Planted
	}
	with := func(s Set, f Fact) Set {
		if f.Path == "" {
			return s
		}
		s.Facts = NewSet(s.Kind, s.Subject, append(slices.Clone(s.Facts), f)).Facts
		return s
	}
	return with(old, facts[0]), with(new, facts[1])
}
