// Package verdict keeps the answers to checks, so that a question whose every
// ingredient is unchanged is not asked again.
//
// An answer is found by the hash of everything that can influence it. A wrong
// answer from here would be a lie that nobody looks at, so what is in doubt is in
// the hash, an entry is verified as a whole each time, and one that is not as it
// was written is no answer.
package verdict

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/virtmatrix/virtmatrix/matrix"
)

// format is the version of what this package writes. It is part of each key.
const format = 2

// Question is everything that can influence the answer to a check of a cell.
//
// Everything in it counts, also what is added to it later, but for what ask
// takes out.
type Question struct {
	Format int                 `json:"format"`
	Check  matrix.PlannedCheck `json:"check"`
	Cell   matrix.Cell         `json:"cell"`
	// Images are what the cell's host is composed from, as built.
	Images []Image `json:"images"`
	Host   Host    `json:"host"`
	// Code is the version of all code that gives the answer.
	Code string `json:"code"`
	// Machine holds what of L0 the answer may depend on, by name.
	Machine map[string]string `json:"machine"`
}

// Image is an image as it was built.
type Image struct {
	// Role is the recipe that made it.
	Role string `json:"role"`
	// Key is what went in, Content the digest of what came out: another build of
	// the same may differ.
	Key     string `json:"key"`
	Content string `json:"content"`
}

// Host is how a cell's host is run.
type Host struct {
	// Accel is L0's accelerator, as probed.
	Accel string `json:"accel"`
	// CPUs and MemoryMB are the size of an L1 that is a virtual machine.
	CPUs     int `json:"cpus,omitempty"`
	MemoryMB int `json:"memory_mb,omitempty"`
	// Emulator is the L0 emulator of such an L1, with the machine type and the
	// processor that it is told.
	Emulator *Image `json:"emulator,omitempty"`
	Machine  string `json:"machine,omitempty"`
	CPU      string `json:"cpu,omitempty"`
	// Docker is the version of what runs an L1 that is a container.
	Docker string `json:"docker,omitempty"`
}

// ask returns the question in its canonical form. Out of it goes what is said to
// people alone, and what the plan says of where and why a question is asked: why the
// cell is there, what it is judged against, its other checks, and which cells
// share an answer. None of it decides how a check is carried out.
func (q Question) ask() ([]byte, error) {
	q.Format = format
	q.Check.Asserts, q.Check.AskedIn, q.Check.Depends = "", "", nil
	q.Cell.Why, q.Cell.Baseline, q.Cell.Checks = nil, "", nil
	text, err := json.Marshal(q)
	if err != nil {
		return nil, fmt.Errorf("cannot write question: %w", err)
	}
	return text, nil
}

// Key is the hash of the question, in hex.
func (q Question) Key() (string, error) {
	text, err := q.ask()
	return keyOf(text), err
}

func keyOf(question []byte) string {
	sum := sha256.Sum256(question)
	return hex.EncodeToString(sum[:])
}
