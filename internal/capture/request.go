package capture

import (
	"github.com/virtmatrix/virtmatrix/internal/bzimage"
	"github.com/virtmatrix/virtmatrix/internal/layout"
)

// Program is the name of the program that takes the sets.
const Program = "l1capture"

// Request tells the program what it captures.
type Request struct {
	// Kinds are the names of those that the image has.
	Kinds   []string `json:"kinds"`
	Subject string   `json:"subject"`
	// Layout says where the root has its things.
	Layout layout.Manifest `json:"layout"`
	// Config is the text of a kernel's or a hypervisor's configuration.
	Config string `json:"config,omitempty"`
	// Kernel is what a loader finds in a kernel.
	Kernel bzimage.Kernel `json:"kernel,omitzero"`
	// Headers are those of a hypervisor's interfaces, one after the other.
	Headers string `json:"headers,omitempty"`
	// Parameters is the document of a hypervisor's command line, as HTML.
	Parameters string `json:"parameters,omitempty"`
}
