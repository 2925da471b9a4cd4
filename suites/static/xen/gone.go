// Package xen holds the checks of what a version of Xen took away.
package xen

import (
	"github.com/virtmatrix/virtmatrix/internal/capture"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/compared"
)

func init() {
	for _, k := range capture.KindsOf(matrix.XenHyp) {
		check.Register(compared.ID(k), compared.Spec(k, matrix.XenStack), compared.Body(k))
	}
}
