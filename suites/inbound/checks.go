// Package inbound holds the checks of what makes the stack work: kernel, qemu
// and Xen.
package inbound

import (
	"maps"

	"github.com/virtmatrix/virtmatrix/suites/cell"
)

// Checks are the behaviours by check ID.
var Checks = merged(kernelChecks, qemuChecks, xenChecks)

func merged(families ...map[string]cell.Body) map[string]cell.Body {
	all := map[string]cell.Body{}
	for _, f := range families {
		maps.Copy(all, f)
	}
	return all
}
