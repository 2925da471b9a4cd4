package qemu

import (
	"strings"
	"testing"
)

func TestAllFormsOfAVirtioDeviceAreGivenTheSame(t *testing.T) {
	for _, device := range []string{"virtio-blk-pci", "virtio-blk-pci-transitional", "virtio-blk-pci-non-transitional"} {
		line := deviceLine(device)
		if !strings.HasPrefix(line, device+" /machine/peripheral/it ") || !strings.Contains(line, "-device "+device+",id=it,drive=disk") {
			t.Errorf("%s is made by %q", device, line)
		}
	}
}

func TestOnlyWhatNeedsMoreIsApart(t *testing.T) {
	for device, apart := range map[string]bool{"vfio-pci-nohotplug": true, "vhost-user-fs-pci": true, "pxb": true, "pxb-pcie": false, "virtio-net-pci": false} {
		if (unmakeable(device) != "") != apart {
			t.Errorf("%s is not made: %q", device, unmakeable(device))
		}
	}
}
