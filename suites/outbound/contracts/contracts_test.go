package contracts

import (
	"slices"
	"testing"
)

const chainXML = `<disk type='file'><source file='/top' index='1'/><backingStore type='file' index='3'><format type='qcow2'/><source file='/base'/><backingStore/></backingStore><target dev='vda'/></disk>`

func TestADisksXMLIsPartedAtItsBackingStore(t *testing.T) {
	before, store, after := backing(chainXML)
	if before+store+after != chainXML || after != "<target dev='vda'/></disk>" {
		t.Errorf("parted into %q, %q and %q", before, store, after)
	}
	const none = "<disk><backingStore/></disk>"
	if before, store, after := backing(none); before != none || store+after != "" {
		t.Errorf("a chain of one image is parted into %q, %q and %q", before, store, after)
	}
}

func TestADeviceIsFoundByWhatItHas(t *testing.T) {
	const two = "<devices><disk type='file'><source file='/a'/></disk><disk type='file'><source file='/b'/></disk></devices>"
	if got := element(two, "disk", "'/b'"); got != "<disk type='file'><source file='/b'/></disk>" {
		t.Errorf("found %q", got)
	}
	if got := element(two, "disk", "'/c'"); got != "" {
		t.Errorf("found %q, which has not what was looked for", got)
	}
}

func TestDevicesWithoutANameAreListed(t *testing.T) {
	got := unnamed(`<domain><devices><emulator>/q</emulator><disk><alias name='a'/></disk><rng/><controller type='usb' model='none'/><controller type='pci'/></devices></domain>`)
	if want := []string{"disk has no address", "rng  has no alias", "rng has no address", "controller pci has no alias"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if len(unnamed("<domain/>")) == 0 {
		t.Error("nothing is said of XML without devices")
	}
}
