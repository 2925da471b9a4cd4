package steps

import (
	"syscall"

	"github.com/virtmatrix/virtmatrix/matrix"
	"libvirt.org/go/libvirt"
)

// WithoutDriver ends libvirt's daemon and starts it again as where the package of one
// of its drivers is not installed. The driver is back when the check is over. One that has
// a daemon of its own goes with that.
func (t *T) WithoutDriver(name string) {
	d, err := t.Layout().Driver(t.Kind(), name)
	t.must(err, "find the daemon of the driver "+name)
	if d.Name != t.Manager().Name {
		t.Cleanup(func() {
			t.Sh("mv " + d.Path + ".away " + d.Path)
			t.restart(d.Name, syscall.SIGTERM)
			t.reconnect()
		})
		t.endDaemon(d)
		t.Sh("mv " + d.Path + " " + d.Path + ".away")
		t.reconnect()
		return
	}
	file := t.Sh(`awk '/libvirt_driver_` + name + `[.]so/ {print $6; exit}' /proc/` + t.DaemonPID() + `/maps`)
	if file == "" {
		t.Fail(matrix.LayerManagement, "%s has not loaded its %s driver", t.Manager().Name, name)
	}
	t.Cleanup(func() {
		t.Sh("mv " + file + ".away " + file)
		t.RestartLibvirt(syscall.SIGTERM)
	})
	t.Sh("mv " + file + " " + file + ".away")
	t.RestartLibvirt(syscall.SIGTERM)
}

// Lists are the calls of the API that list the objects of each driver.
func (c *Connection) Lists() map[string]func() error {
	raw := c.Raw
	return map[string]func() error{
		"interface": func() error { all, err := raw.ListAllInterfaces(0); free(all, (*libvirt.Interface).Free); return err },
		"network":   func() error { all, err := raw.ListAllNetworks(0); free(all, (*libvirt.Network).Free); return err },
		"nodedev":   func() error { all, err := raw.ListAllNodeDevices(0); free(all, (*libvirt.NodeDevice).Free); return err },
		"nwfilter":  func() error { all, err := raw.ListAllNWFilters(0); free(all, (*libvirt.NWFilter).Free); return err },
		"secret":    func() error { all, err := raw.ListAllSecrets(0); free(all, (*libvirt.Secret).Free); return err },
		"storage": func() error {
			all, err := raw.ListAllStoragePools(0)
			free(all, (*libvirt.StoragePool).Free)
			return err
		},
	}
}

// free gives back what a list holds.
func free[O any](all []O, one func(*O) error) {
	for i := range all {
		_ = one(&all[i])
	}
}
