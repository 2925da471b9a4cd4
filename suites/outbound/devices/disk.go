// Package devices holds the checks of devices that come and go while a guest runs.
package devices

import (
	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

const (
	serial    = "hotplugged"
	diskSize  = 4 << 20
	plugLimit = steps.PlugLimit
)

var _ = check.Register("O-HP-DISK", check.Spec{
	Asserts:  "A disk that is attached to a running guest is there with its serial, holds what is written, and is gone once detached",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "0.7.7")},
	Depends:  check.On(matrix.Linux, matrix.QEMU, matrix.Libvirt, "machine", "firmware", "accel"),
	Control:  sabotage.Swallow("virDomainAttachDeviceFlags"),
}, func(t *steps.T) {
	image := t.DiskImage("plugged", diskSize)
	d, g := t.Started(domain.WithRootPorts(4))
	disk := domain.NewDisk(image, "raw", domain.At("vdz", "virtio"), domain.Serial(serial))
	for range 2 { // the second time shows that the first left nothing behind
		d.Attach(disk)
		seen := g.WaitDisk(serial, plugLimit)
		t.Expect(seen.Bytes).To(BeNumerically("==", diskSize), "size of the disk that the guest sees")
		word := "written by " + g.Token
		g.WriteAt(seen.Name, 1<<20, word)
		t.Expect(t.ReadFile(image, 1<<20, len(word))).To(Equal(word), "what the image holds where the guest wrote")
		d.Detach(disk)
		g.WaitNoDisk(serial, plugLimit)
		t.Until(plugLimit, "the disk is gone from the domain's XML", func() bool { return !d.Has(serial) })
	}
})
