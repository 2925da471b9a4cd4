// Package concurrency holds the checks of what many clients ask of libvirt at once. What one
// of them is told of, done or refused, must be so when all have ended.
package concurrency

import (
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
)

var depends = check.On(matrix.Libvirt, matrix.QEMU)

// since is what a check requires whose calls are this old.
func since(version string) []matrix.Requirement {
	return []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, version)}
}
