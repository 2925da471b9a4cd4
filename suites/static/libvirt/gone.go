// Package libvirt holds the checks of what a version of libvirt took away.
package libvirt

import (
	"github.com/virtmatrix/virtmatrix/internal/capture"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/compared"
)

func init() {
	for _, k := range capture.KindsOf(matrix.Libvirt) {
		check.Register(compared.ID(k), compared.Spec(k, matrix.KVMStack), compared.Body(k))
	}
}
