package sabotage

import (
	"syscall"

	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// Configure adds a setting to what libvirt reads of how to run emulators, and has it
// read.
func Configure(setting string) *Control {
	return &Control{Name: "libvirt with " + setting, apply: func(t *steps.T) func() error {
		t.Sh("echo " + host.Quote(setting) + " >>" + t.Layout().LibvirtConfig + "/qemu.conf")
		t.RestartLibvirt(syscall.SIGTERM)
		return nil
	}}
}
