package xen

import (
	"fmt"
	"time"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// resizeLimit bounds how long a guest may take to give something or to take it back.
const resizeLimit = time.Minute

var _ = check.Register("IX-MEM", check.Spec{
	Asserts:  "A guest gives memory and gets it back as xl says, and its maximum is not set below what it has",
	Requires: stack,
	Depends:  depends,
	Control:  ignores("mem-set"),
}, func(t *steps.T) {
	const less = 96
	g := t.XlGuest(nil)
	full, listed := g.MemoryNow().TotalKB, func() string { return t.Sh("xl list " + g.Name + " | awk 'NR == 2 { print $3 }'") }
	for _, mib := range []int64{less, domain.MemoryMB} {
		t.Xl(fmt.Sprintf("mem-set %s %d", g.Name, mib))
		want := full - (domain.MemoryMB-mib)<<10
		t.Until(resizeLimit, fmt.Sprintf("the guest has about %d KiB of %d", want, full), func() bool {
			got := g.MemoryNow().TotalKB
			return got > want-1<<10 && got < want+1<<10
		})
		t.Until(resizeLimit, fmt.Sprintf("xl lists %d MiB", mib), func() bool { return listed() == fmt.Sprint(mib) })
	}
	t.Expect(t.TryXl(fmt.Sprintf("mem-max %s %d", g.Name, less)).OK()).To(BeFalse(), "a maximum below what the guest has is taken")
	t.Xl(fmt.Sprintf("mem-max %s %d", g.Name, 2*domain.MemoryMB))
	g.ExpectSameBoot(g.Tick())
})

// A guest's udev brings a processor online that came; ours is asked to.
var _ = check.Register("IX-VCPU", check.Spec{
	Asserts:  "A guest loses a processor and gets it back, and its processors run where they are pinned and with the weight that they are given",
	Requires: stack,
	Depends:  depends,
	Control:  ignores("vcpu-set"),
}, func(t *steps.T) {
	g := t.XlGuest(domain.XL{"vcpus": 2})
	online := func(n int) {
		t.Until(resizeLimit, fmt.Sprintf("the guest and xl have %d processors", n), func() bool {
			cpus := g.CPUs()
			if len(cpus.Online) < n && len(cpus.Offline) > 0 {
				g.Online(cpus.Offline[0])
			}
			return len(cpus.Online) == n && t.Sh("xl vcpu-list "+g.Name+" | awk 'NR > 1 && $5 != \"--p\"' | wc -l") == fmt.Sprint(n)
		})
	}
	online(2)
	for _, n := range []int{1, 2} {
		t.Xl(fmt.Sprintf("vcpu-set %s %d", g.Name, n))
		online(n)
	}
	t.Xl("vcpu-pin " + g.Name + " 0 1")
	t.Xl("vcpu-pin " + g.Name + " 1 0")
	pinned := t.Sh("xl vcpu-list " + g.Name + " | awk 'NR > 1 { print $3, $7 }'")
	t.Expect(pinned).To(Equal("0 1\n1 0"), "processors of the guest, and where they are pinned")
	t.Until(resizeLimit, "the guest's processors run where they are pinned", func() bool {
		g.Tick()
		return t.Sh("xl vcpu-list "+g.Name+" | awk 'NR > 1 { print $3, $4 }'") == pinned
	})
	t.Xl("sched-credit2 -d " + g.Name + " -w 512")
	t.Expect(t.Xl("sched-credit2 -d " + g.Name)).To(MatchRegexp(g.Name + `\s+` + g.DomID() + `\s+512\b`))
	g.ExpectSameBoot(g.Tick())
})

var _ = check.Register("IX-POOL", check.Spec{
	Asserts:  "A guest goes on in a pool of one processor with a scheduler of its own, and dom0 gets the processor back",
	Requires: stack,
	Depends:  depends,
	Control:  ignores("cpupool-migrate"),
}, func(t *steps.T) {
	const pool = "vmpool"
	g := t.XlGuest(nil)
	mark := g.Mark()
	back := []string{"cpupool-migrate " + g.Name + " Pool-0", "cpupool-cpu-remove " + pool + " 1", "cpupool-destroy " + pool, "cpupool-cpu-add Pool-0 1"}
	t.Cleanup(func() {
		for _, command := range back {
			t.Run("xl " + command)
		}
	})
	pools := func() string { return t.Sh("xl cpupool-list | awk 'NR > 1 { print $1, $2, $3, $5 }'") }
	before := pools()
	t.Xl("cpupool-cpu-remove Pool-0 1")
	t.Xl(`cpupool-create 'name="` + pool + `"' 'sched="credit"' 'cpus=["1"]'`)
	t.Xl("cpupool-migrate " + g.Name + " " + pool)
	t.Expect(pools()).To(ContainSubstring(pool+" 1 credit 1"), "the pool's processors, scheduler and domains")
	g.ExpectGoesOn(mark)
	t.Expect(t.Sh("xl vcpu-list "+g.Name+" | awk 'NR == 2 { print $4 }'")).To(Equal("1"), "the processor that the guest runs on")
	for _, command := range back {
		t.Xl(command)
	}
	t.Expect(pools()).To(Equal(before), "pools of the host")
	g.ExpectGoesOn(mark)
})
