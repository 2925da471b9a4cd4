// Package qemu holds the checks of what a version of QEMU took away.
package qemu

import (
	"github.com/virtmatrix/virtmatrix/internal/capture"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/compared"
)

func init() {
	for _, k := range capture.KindsOf(matrix.QEMU) {
		check.Register(compared.ID(k), compared.Spec(k, matrix.KVMStack), compared.Body(k))
	}
}
