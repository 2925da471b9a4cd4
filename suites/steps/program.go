package steps

import (
	"path"
	"syscall"
	"time"

	"github.com/virtmatrix/virtmatrix/matrix"
	"libvirt.org/go/libvirt"
)

// Wrap puts a shell script in the place of a program of L1, which is where the host's
// layout has it, or else in PATH. In the script $REAL is the program, and the arguments
// are those that it was given. It stays there for as long as the host lives, or until Unwrap.
func (t *T) Wrap(program, script string) {
	file, err := t.Layout().Program(program)
	if err != nil {
		file = t.Sh("command -v " + program)
	}
	real := path.Dir(file) + "/." + path.Base(file) + ".real"
	t.Sh("cp -a --remove-destination $(readlink -f " + file + ") " + real + " && rm " + file)
	t.Put(file, "#!/bin/bash\nREAL="+real+"\n"+script+"\n")
	t.Sh("chmod 755 " + file)
}

// Unwrap puts a program back that was wrapped.
func (t *T) Unwrap(program string) {
	t.Sh("f=$(command -v " + program + ") && mv $(dirname $f)/." + program + ".real $f")
}

// WithoutDriver ends libvirt's daemon and starts it again as where the package of one
// of its drivers is not installed. The driver is back when the check is over.
func (t *T) WithoutDriver(name string) {
	file := t.Sh(`awk '/libvirt_driver_` + name + `[.]so/ {print $6; exit}' /proc/$(pidof ` + t.Manager().Name + `)/maps`)
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

// Took is how long a call took that libvirt had to refuse with an error number.
func (t *T) Took(op string, want libvirt.ErrorNumber, call func() error) time.Duration {
	start := time.Now()
	t.Refuses(op, want, call)
	return time.Since(start)
}
