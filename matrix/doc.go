// Package matrix says what to test: components and their versions, the cells
// made of them, the checks that apply to a cell, and the frozen plan that a
// run must answer.
//
// The package is pure. It executes nothing, reads no clock and no network, and
// imports nothing of this module but matrix/cover, which is as pure.
package matrix
