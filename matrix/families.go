package matrix

import "strings"

// families are the folders below suites that have families of checks, themselves
// or in them, each with the layer that its assertions speak about.
var families = []struct {
	folder string
	layer  Layer
}{
	{"inbound/kernel", LayerKernel},
	{"inbound/qemu", LayerHypervisor},
	{"inbound/xen", LayerHypervisor},
	{"inbound/media", LayerDelivery},
	{"outbound", LayerManagement},
	{"static/kernel", LayerKernel},
	{"static/qemu", LayerHypervisor},
	{"static/xen", LayerHypervisor},
	{"static/libvirt", LayerManagement},
	{"static/xml", LayerManagement},
	{"static/delivery", LayerDelivery},
}

// layerOf is the layer of a family; an unknown one is an error.
func layerOf(family string) (Layer, error) {
	var folders []string
	for _, f := range families {
		if family == f.folder || strings.HasPrefix(family, f.folder+"/") {
			return f.layer, nil
		}
		folders = append(folders, f.folder)
	}
	return "", Unknown("family", family, folders)
}

// Layer is the layer that the assertions of the check speak about.
func (c *Check) Layer() Layer { return familyLayer(c.Family) }

// Layer is the layer that the assertions of the check speak about.
func (p *PlannedCheck) Layer() Layer { return familyLayer(p.Family) }

// familyLayer is that of the harness for a family that nobody knows: what such a
// check says is not the product's.
func familyLayer(family string) Layer {
	if layer, err := layerOf(family); err == nil {
		return layer
	}
	return LayerHarness
}
