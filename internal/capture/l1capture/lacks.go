package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/virtmatrix/virtmatrix/internal/layout"
)

// driverFiles are the configuration of drivers that are packages of their own.
var driverFiles = map[string][]string{
	"libxl": {"libxl.conf", "libxl-lockd.conf", "libxl-sanlock.conf"}, "lxc": {"lxc.conf"}, "network": {"network.conf"}, "qemu": {"qemu.conf", "qemu-lockd.conf", "qemu-sanlock.conf"},
}

// unitReference is a unit of libvirt that another one names.
var unitReference = regexp.MustCompile(`(?m)^(?:Also|Requires|BindsTo|Wants|After|Before|Service)=(.*)$`)

// lackPackages notes what would be there with a package that the image lacks: the
// configuration of drivers, and units that others want.
func lackPackages(t *taker) error {
	config, units, tools := map[string]string{}, map[string]string{}, map[string]string{}
	for driver, files := range driverFiles {
		pattern := filepath.Join(filepath.Dir(t.Layout.Loader), "libvirt", "connection-driver", "libvirt_driver_"+driver+".so")
		if _, err := os.Stat(pattern); err == nil {
			continue
		}
		for _, f := range files {
			config[f] = "the driver " + driver + " is not installed"
		}
	}
	err := shipped(func(name, text string) error {
		for _, m := range unitReference.FindAllStringSubmatch(text, -1) {
			for unit := range strings.FieldsSeq(m[1]) {
				daemon, _, _ := strings.Cut(unit, ".")
				daemon = strings.TrimSuffix(strings.TrimSuffix(daemon, "-admin"), "-ro")
				if !strings.HasPrefix(daemon, "virt") && !strings.HasPrefix(daemon, "libvirt") || t.installed(daemon) {
					continue
				}
				why := daemon + ", which " + name + " names, is not installed"
				tools[daemon], config[daemon+".conf"] = why, why
				for _, suffix := range []string{".service", ".socket", "-admin.socket", "-ro.socket"} {
					units[daemon+suffix] = why
				}
			}
		}
		return nil
	}, unitFiles...)
	t.absent["config"], t.absent["units"], t.absent["virsh"], t.absent["files"] = config, units, tools, tools
	return err
}

// installed says whether there is a program or a unit of the name.
func (t *taker) installed(daemon string) bool {
	for _, path := range append(layout.Candidates(daemon), "/usr/lib/systemd/system/"+daemon+".service", "/usr/lib/systemd/system/"+daemon+".target") {
		if _, err := os.Stat(path); err == nil {
			return true
		}
	}
	return false
}
