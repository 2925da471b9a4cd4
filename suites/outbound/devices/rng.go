package devices

import (
	"slices"

	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// What virtio's devices are seen as (VIRTIO 1.2, 4.1.2.1): on PCI Express, and on PCI.
const (
	pciRNG   = "1af4:1044 1af4:1005"
	pciVSock = "1af4:1053"
)

var _ = check.Register("O-HP-RNG", check.Spec{
	Asserts:  "An RNG, a virtio port and a vsock come to a running guest and go; what cannot come is refused and leaves nothing",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "4.4.0")},
	Depends:  check.On(matrix.Linux, matrix.QEMU, matrix.Libvirt, "machine", "accel"),
	Control:  sabotage.ChangeCode("virDomainAttachDeviceFlags", libvirt.ERR_INTERNAL_ERROR),
}, func(t *steps.T) {
	const port = "org.virtmatrix.0"
	d, g := t.Started(domain.WithRootPorts(7), domain.WithAgent)
	before := d.Dump(0)
	restored := func() { t.Until(plugLimit, "the live XML is as it was", func() bool { return d.Dump(0) == before }) }
	d.Attach(domain.NewRNG())
	g.WaitPCI(pciRNG, 2)
	d.Detach(&d.Live().Devices.RNGs[1])
	g.WaitPCI(pciRNG, 1)
	restored()

	d.Attach(domain.NewPort(port))
	t.Until(plugLimit, "the guest has port "+port, func() bool { return slices.Contains(g.Hardware().Ports, port) })
	d.Detach(&d.Live().Devices.Channels[1])
	t.Until(plugLimit, "the guest has no port "+port, func() bool { return !slices.Contains(g.Hardware().Ports, port) })
	restored()

	d.RefusesDevice("a TPM", domain.NewTPM("tpm-tis"), libvirt.ERR_OPERATION_UNSUPPORTED)
	if t.Contained() { // no container has the device that it needs
		d.RefusesDevice("a vsock", domain.NewVSock(), libvirt.ERR_CONFIG_UNSUPPORTED, libvirt.ERR_SYSTEM_ERROR)
		return
	}
	t.Sh("modprobe vhost_vsock")
	d.Attach(domain.NewVSock())
	g.WaitPCI(pciVSock, 1)
	d.Detach(d.Live().Devices.VSock)
	g.WaitPCI(pciVSock, 0)
	restored()
})
