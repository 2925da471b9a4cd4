package kernel

import (
	"strconv"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// Documentation/admin-guide/tainted-kernels.rst has what the bits mean.
var _ = check.Register("IK-TAINT", check.Spec{
	Asserts:  "The kernel calls itself sound",
	Requires: []matrix.Requirement{matrix.OwnKernel},
	Depends:  check.On(matrix.Linux, matrix.Libvirt),
	Control:  sabotage.Command("a kernel that has warned", "echo 512 >/proc/sys/kernel/tainted"),
}, func(t *steps.T) {
	t.Expect(t.Sh("cat /proc/sys/kernel/tainted")).To(Equal("0"), "the bits of /proc/sys/kernel/tainted")
})

// hugePages are taken of the host, each of 2 MiB.
const hugePages = 8

var _ = check.Register("IK-HP", check.Spec{
	Asserts:  "Huge pages that are asked for are there, a file takes them and gives them back",
	Requires: []matrix.Requirement{matrix.OwnKernel, matrix.KVMStack},
	Depends:  check.On(matrix.Linux),
	Control:  sabotage.Wrap("fallocate", "a file that takes nothing", "exit 0"),
}, func(t *steps.T) {
	free := func() string { return t.Sh("cat " + hugePool + "/free_hugepages") }
	was := t.Sh("cat " + hugePool + "/nr_hugepages")
	t.Cleanup(func() {
		t.Run("umount /run/vmhuge; rmdir /run/vmhuge; echo " + was + " >" + hugePool + "/nr_hugepages")
	})
	t.Sh("echo 3 >/proc/sys/vm/drop_caches; echo " + strconv.Itoa(hugePages) + " >" + hugePool + "/nr_hugepages")
	t.Expect(free()).To(Equal(strconv.Itoa(hugePages)), "free huge pages")
	t.Sh("mkdir /run/vmhuge && mount -t hugetlbfs none /run/vmhuge && fallocate -l 6M /run/vmhuge/file")
	t.Expect(free()).To(Equal(strconv.Itoa(hugePages-3)), "free huge pages, with three in a file")
	t.Sh("rm /run/vmhuge/file")
	t.Expect(free()).To(Equal(strconv.Itoa(hugePages)), "free huge pages once the file is gone")
	t.Note("transparent huge pages: %s", t.Sh("cat /sys/kernel/mm/transparent_hugepage/enabled"))
})

const hugePool = "/sys/kernel/mm/hugepages/hugepages-2048kB"
