package blockjobs

import (
	"fmt"
	"time"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

const (
	// jobMoves bounds how long a job of a megabyte a second may show no progress, at
	// scale 1.
	jobMoves = 20 * time.Second
	// A guest with so many operations a second takes some seconds for so many writes.
	// No machine is so slow that it takes less.
	perSecond, writes = 2, 6
	least             = 2 * time.Second
)

var _ = check.Register("O-BLK-TUNE", check.Spec{
	Asserts:  "A limit on a running guest's disk is read back, holds the guest up, and is lifted; a threshold tells of writes past it",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "3.2.0")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU, matrix.XenHyp, "disk"),
	Control:  sabotage.Swallow("virDomainSetBlockIoTune"),
}, func(t *steps.T) {
	limit := libvirt.DomainBlockIoTuneParameters{TotalIopsSecSet: true, TotalIopsSec: perSecond}
	if t.XenDomainLacks("limit disk", func(d *libvirt.Domain) error { return d.SetBlockIoTune("xvda", &limit, 0) }) {
		return
	}
	disk := t.Settings().DiskName
	d, g := t.Started(domain.WithDisk(t.DiskImage("disk", 8*mib), "raw"))
	past := d.WatchThresholds()
	t.VirshSays(fmt.Sprintf("domblkthreshold %s %s %d", d.Name, disk, 4*mib))
	g.WriteAt(disk, mib, one) // does not reach it
	g.WriteAt(disk, 6*mib, one)
	past.Wait("a write went past the threshold", func(e libvirt.DomainEventBlockThreshold) bool {
		return e.Threshold == 4*mib && e.Excess >= 2*mib
	})

	tune := func(iops uint64) {
		limit.TotalIopsSec = iops
		t.Do("limit disk", func() error {
			return d.Raw.SetBlockIoTune(disk, &limit, libvirt.DOMAIN_AFFECT_LIVE|libvirt.DOMAIN_AFFECT_CONFIG)
		})
		for _, of := range []libvirt.DomainModificationImpact{libvirt.DOMAIN_AFFECT_LIVE, libvirt.DOMAIN_AFFECT_CONFIG} {
			got := steps.Get(t, "ask for the disk's limits", func() (*libvirt.DomainBlockIoTuneParameters, error) { return d.Raw.GetBlockIoTune(disk, of) })
			t.Expect(got.TotalIopsSec).To(Equal(iops), "the limit as it is read back")
		}
	}
	tune(perSecond)
	t.Expect(t.VirshSays("blkdeviotune " + d.Name + " " + disk)).To(MatchRegexp(`total_iops_sec *: %d\b`, perSecond))
	start := time.Now()
	for i := range writes {
		g.WriteAt(disk, int64(i)*64<<10, two)
	}
	t.Expect(time.Since(start)).To(BeNumerically(">=", least), "time for %d writes with %d operations a second", writes, perSecond)
	tune(0)
	t.Expect(g.ReadAt(disk, 0, len(two))).To(Equal(two), "what was written under the limit")
	groups(t, d)
})

// groups makes a group of disks with a common limit, which libvirt has since 11.2.
func groups(t *steps.T, d *steps.Domain) {
	if !t.AtLeast(matrix.Libvirt, "11.2") {
		return
	}
	t.VirshSays("domthrottlegroupset " + d.Name + " slow --total-iops-sec 100 --live --config")
	t.Expect(t.VirshSays("domthrottlegrouplist " + d.Name)).To(ContainSubstring("slow"))
	t.Expect(t.VirshSays("domthrottlegroupinfo " + d.Name + " slow")).To(MatchRegexp(`total_iops_sec *: 100\b`))
	t.Expect(d.Dump(libvirt.DOMAIN_XML_INACTIVE)).To(ContainSubstring("<group_name>slow</group_name>"))
	t.VirshSays("domthrottlegroupdel " + d.Name + " slow --live --config")
	t.Expect(d.Has("<group_name>slow</group_name>")).To(BeFalse(), "the group after it was deleted")
}
