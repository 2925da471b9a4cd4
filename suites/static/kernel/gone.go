// Package kernel holds the checks of what a version of the kernel took away.
package kernel

import (
	"github.com/virtmatrix/virtmatrix/internal/capture"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/compared"
)

func init() {
	for _, k := range capture.KindsOf(matrix.Linux) {
		check.Register(compared.ID(k), compared.Spec(k), compared.Body(k))
	}
}
