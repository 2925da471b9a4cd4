package capture

import (
	"regexp"
	"strconv"
	"strings"
)

// versioned are names of what never changes: CPU models and machine types with a
// version (QEMU's docs/system/cpu-models-x86.rst.inc and docs/about/deprecated.rst).
var versioned = regexp.MustCompile(`^[^/]*(-v\d+|-\d+\.\d+)(/|$)`)

// pinned says whether something is different that never changes. What has no version
// may be different in each release, but it must be there.
func pinned(_ ChangeOf, path string, _, _ Fact) bool {
	return !strings.Contains(path, "/") || versioned.MatchString(path)
}

// staleState says whether a state of the old version is refused: the new one reads none
// so old, or writes an older one itself, or knows nothing of it.
func staleState(change ChangeOf, _ string, was, is Fact) bool {
	if change == Removed {
		return true
	}
	oldVersion, _ := stateVersion(was.Value)
	newVersion, newMinimum := stateVersion(is.Value)
	return newVersion < oldVersion || newMinimum > oldVersion
}

// stateVersion reads "version 3, minimum 2".
func stateVersion(text string) (version, minimum int) {
	v, m, _ := strings.Cut(strings.TrimPrefix(text, "version "), ", minimum ")
	version, _ = strconv.Atoi(v)
	minimum, _ = strconv.Atoi(m)
	return version, minimum
}

// hosting are the symbols of a kernel that hosts and guests are made with.
var hosting = regexp.MustCompile(`^(KVM|VIRTIO|VIRT_|VHOST|VFIO|VSOCK|XEN|TUN$|TAP$|MACV|BRIDGE|VETH|VLAN|BPF|CGROUP|MEMCG|CPUSETS|.*_NS$|HUGETLB|TRANSPARENT_HUGEPAGE|.*IOMMU|BLK_DEV_(LOOP|NBD|DM|THROTTLING)|DM_|9P_|NET_9P|FUSE|VIRTIOFS|SECCOMP|USERFAULTFD|KSM|NF_|NFT_|NETFILTER|IP6?_NF|NET_SCH|NET_CLS|NET_ACT|SCSI_VIRTIO|DRM_(VIRTIO|QXL|BOCHS)|HYPERV|HW_RANDOM|I6300|ITCO|PVPANIC|FW_CFG|SQUASHFS|OVERLAY|EXT4|XFS)`)

// lessBuilt says whether a kernel has less of what virtualization needs: y, then m,
// then nothing.
func lessBuilt(change ChangeOf, path string, was, is Fact) bool {
	rank := map[string]int{"y": 2, "m": 1}
	return hosting.MatchString(path) && !strings.HasSuffix(path, "_WERROR") && rank[was.Value] > 0 && (change == Removed || rank[is.Value] < rank[was.Value])
}

// outermost says whether something is gone that belongs to nothing else: of the rest its
// users see only what it does.
func outermost(_ ChangeOf, path string, _, _ Fact) bool { return !strings.Contains(path, "/") }
