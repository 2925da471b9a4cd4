// Package verdict keeps the answers to checks, so that a question whose every
// ingredient is unchanged is not asked again.
//
// An answer is found by the hash of everything that can influence it. A wrong
// answer from here would be a lie that nobody looks at, so what is in doubt is in
// the hash, an entry is verified as a whole each time, and one that is not as it
// was written is no answer. A PASS is given again. A failure is asked once
// more before it holds a release, and what is kept of it is told beside the answer;
// whether one is given again that does not hold it, because it is known, whoever looks
// it up decides.
package verdict

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/virtmatrix/virtmatrix/matrix"
)

// format is the version of what this package writes. It is part of each key.
const format = 3

// Question is everything that can influence the answer to a check of a cell.
//
// Everything in it counts, also what is added to it later, but for what Key takes
// out.
type Question struct {
	Format int
	Check  matrix.PlannedCheck
	Cell   matrix.Cell
	// Images are what the hosts are composed from: what made each one, what
	// went in and, because another build of the same may differ, what came out.
	Images []string
	// Code is the version of all code that gives the answer.
	Code string
	// Machine holds how the host is run, and what of L0 the answer may depend on.
	Machine map[string]string
}

// Key is the hash of the question, in hex. Out of it goes what is said to people
// alone, and what the plan says of other questions: why the cell is there, what it
// is judged against, its other checks, and which cells share an answer. None of it
// decides how a check is carried out.
func (q Question) Key() (string, error) {
	q.Format = format
	q.Check.Asserts, q.Check.AskedIn, q.Check.Depends = "", "", nil
	q.Cell.Why, q.Cell.Baseline, q.Cell.Checks = nil, "", nil
	text, err := json.Marshal(q)
	if err != nil {
		return "", fmt.Errorf("cannot write question: %w", err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}
