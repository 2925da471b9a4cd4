// Package matrix says what to test: components and their versions, the cells
// made of them, the checks that apply to a cell, and the frozen plan that a
// run must answer.
//
// The package is pure. It executes nothing, reads no clock and no network, and
// imports nothing else of this module.
package matrix
