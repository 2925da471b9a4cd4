package capture

import (
	"github.com/virtmatrix/virtmatrix/internal/layout"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// Program is the name of the program that takes the sets.
const Program = "l1capture"

// Request tells the program what it captures.
type Request struct {
	Component matrix.Component `json:"component"`
	Subject   string           `json:"subject"`
	// Layout says where the root has its things.
	Layout layout.Manifest `json:"layout"`
	// Config is the text of a kernel's configuration.
	Config string `json:"config,omitempty"`
}
