package connection

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// drivers are those that releases have in packages of their own, with the call and the
// command of virsh that list what each has.
var drivers = []struct{ name, call, list string }{
	{"interface", "virConnectListAllInterfaces", "iface-list"},
	{"network", "virConnectListAllNetworks", "net-list"},
	{"nodedev", "virConnectListAllNodeDevices", "nodedev-list"},
	{"nwfilter", "virConnectListAllNWFilters", "nwfilter-list"},
	{"secret", "virConnectListAllSecrets", "secret-list"},
	{"storage", "virConnectListAllStoragePools", "pool-list"},
}

// The daemon that serves all families loads each driver's file if it is there
// (daemonInitialize, src/remote/remote_daemon.c).
func init() {
	for _, d := range drivers {
		check.Register("O-DRV-"+strings.ToUpper(d.name), check.Spec{
			Asserts:  "Where the " + d.name + " driver is not installed its calls are refused as unsupported, and all others work",
			Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "1.2.17")},
			Depends:  check.On(matrix.Libvirt, matrix.QEMU, matrix.XenHyp),
			Control:  sabotage.ChangeCode(d.call, libvirt.ERR_INTERNAL_ERROR),
		}, func(t *steps.T) {
			t.WithoutDriver(d.name)
			lists := t.Connection().Lists()
			missing := lists[d.name]
			delete(lists, d.name)
			for _, family := range slices.Sorted(maps.Keys(lists)) {
				t.Do(fmt.Sprintf("list what the driver %s has without the driver %s", family, d.name), lists[family])
			}
			t.Expect(t.Virsh(d.list).Code).To(Equal(1), "status of virsh %s", d.list)
			guest := t.Define()
			guest.StartWith(libvirt.DOMAIN_START_PAUSED)
			guest.Destroy()
			t.Refuses("list what the driver "+d.name+" has, which is not installed", libvirt.ERR_NO_SUPPORT, missing)
		})
	}
}
