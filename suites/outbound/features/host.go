package features

import (
	"fmt"
	"strconv"
	"strings"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

var _ = check.Register("O-KEEP-MEMFD", check.Spec{
	Asserts:  "A guest keeps memory that is a file without a name and shared, and has it",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "4.10.0")},
	Depends:  guests,
	Control:  sabotage.Alter("virDomainGetXMLDesc", "type='memfd'", "type='memdf'"),
}, func(t *steps.T) {
	keeps(t, feature{
		top: `<memoryBacking><source type='memfd'/><access mode='shared'/><allocation mode='immediate'/></memoryBacking>`,
		seen: func(t *steps.T, d *steps.Domain, _ *steps.Guest) {
			t.Expect(d.Monitor(`{"execute":"qom-get","arguments":{"path":"/objects/pc.ram","property":"share"}}`)).To(ContainSubstring(`"return":true`), "the emulator's memory is shared")
		},
	})
})

var _ = check.Register("O-KEEP-PAGES", check.Spec{
	Asserts:  "A guest keeps the huge pages that its memory is made of, and has taken them from the host",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.OwnKernel, matrix.Since(matrix.Libvirt, "4.10.0")},
	Depends:  check.On(matrix.Linux, matrix.QEMU, matrix.Libvirt, "machine", "firmware"),
	Control:  sabotage.Alter("virDomainGetXMLDesc", "<hugepages", "<hugepagse"),
}, func(t *steps.T) {
	pages := int(t.GuestMemoryKB() / 2048)
	conn := t.Connection().Raw
	alloc := func(n int) {
		t.Do("allocate huge pages", func() error {
			_, err := conn.AllocPages(map[int]int64{2048: int64(n)}, 0, 1, libvirt.NODE_ALLOC_PAGES_SET)
			return err
		})
	}
	alloc(pages + 8)
	t.Cleanup(func() { alloc(0) })
	keeps(t, feature{
		top: `<memoryBacking><hugepages><page size='2048' unit='KiB'/></hugepages><source type='memfd'/></memoryBacking>`,
		seen: func(t *steps.T, _ *steps.Domain, _ *steps.Guest) {
			left := steps.Get(t, "ask for free pages", func() ([]uint64, error) { return conn.GetFreePages([]uint64{2048}, 0, 1, 0) })
			t.Expect(left[0]).To(BeNumerically("<", pages+8), "huge pages that the guest has left")
		},
	})
})

var _ = check.Register("O-KEEP-PINS", check.Spec{
	Asserts:  "A guest keeps where its processors, its emulator and its I/O threads may run, and its partition of the host, and runs there",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Privileged, matrix.Since(matrix.Libvirt, "1.2.14")},
	Depends:  check.On(matrix.Linux, matrix.QEMU, matrix.Libvirt),
	Control:  sabotage.Alter("virDomainGetXMLDesc", "<emulatorpin", "<emulatorpni"),
}, func(t *steps.T) {
	cpu := strconv.Itoa(t.LastCPU())
	keeps(t, feature{
		top: fmt.Sprintf(`<iothreads>2</iothreads><resource><partition>/machine</partition></resource>
<cputune><vcpupin vcpu='0' cpuset='%s'/><emulatorpin cpuset='%[1]s'/><iothreadpin iothread='2' cpuset='%[1]s'/></cputune>`, cpu),
		seen: func(t *steps.T, d *steps.Domain, _ *steps.Guest) {
			for _, thread := range []string{"CPU 0", "emulator", "IO iothread2"} {
				t.Expect(d.Threads()).To(HaveKeyWithValue(thread, cpu), "processors that the threads of the emulator may run on")
			}
		},
	})
})

var _ = check.Register("O-KEEP-BUS", check.Spec{
	Asserts:  "A guest keeps a device behind a bridge to PCI and a virtio console before the serial port, and sees them",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "4.3.0")},
	Depends:  guests,
	Control:  sabotage.Alter("virDomainGetXMLDesc", "i6300esb", "i6300bse"),
}, func(t *steps.T) {
	bridge := `<controller type='pci' index='5' model='pcie-to-pci-bridge'/>`
	if strings.HasPrefix(t.Machine(), "pc-i440fx") { // which is PCI, and has root ports neither
		bridge = ""
	}
	keeps(t, feature{
		devices: bridge + `<watchdog model='i6300esb' action='none'/><console type='pty'><target type='virtio'/></console>`,
		seen: func(_ *steps.T, _ *steps.Domain, g *steps.Guest) {
			g.WaitPCI("8086:25ab", 1)
			g.WaitPCI("1af4:1043 1af4:1003", 1)
		},
	})
})
