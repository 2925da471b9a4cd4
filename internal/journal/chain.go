package journal

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// The lines of a file are chained: each begins with the SHA-256 of the sum of the
// line before and of its own text. So a verdict that was edited, and a line that
// was removed, moved or added, does not fit. The chain has no key. It finds damage
// and careless edits, and does not stop somebody who computes it anew.

// sumStart and sumEnd surround the sum at the beginning of a line.
const sumStart, sumEnd = `{"sum":"`, `",`

// Seal returns a value as a line of JSON that begins with the sum of what is
// before it and of itself.
func Seal(before string, v any) (line []byte, sum string, err error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, "", err
	}
	sum = sumOf(before, text[1:])
	return fmt.Appendf(nil, "%s%s%s%s\n", sumStart, sum, sumEnd, text[1:]), sum, nil
}

func sumOf(before string, text []byte) string {
	sum := sha256.Sum256(append([]byte(before), text...))
	return hex.EncodeToString(sum[:])
}

// What may be wrong with a line, besides that it is no JSON.
var (
	errTorn  = errors.New("the line ends in the middle; its process was killed while writing it")
	errNoSum = errors.New("the line is no record: it does not begin with its sum")
	errChain = errors.New("the line was edited, or lines before it were removed, moved or added")
)

// Unseal reads a line that Seal made into v, and returns its sum. A line that is
// whole and does not follow from what is before it is an error and has a sum.
func Unseal(before string, line []byte, v any) (sum string, err error) {
	var head struct {
		Sum string `json:"sum"`
	}
	dec := json.NewDecoder(bytes.NewReader(line))
	switch err := dec.Decode(&head); {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "", errTorn
	case err != nil:
		return "", fmt.Errorf("the line is no record: %w", err)
	case len(bytes.TrimSpace(line[dec.InputOffset():])) > 0:
		return "", errors.New("the line is no record: it goes on after the record ends")
	}
	text, ok := bytes.CutPrefix(bytes.TrimSuffix(line, []byte("\n")), []byte(sumStart+head.Sum+sumEnd))
	if !ok {
		return "", errNoSum
	}
	if sumOf(before, text) != head.Sum {
		return head.Sum, errChain
	}
	dec = json.NewDecoder(io.MultiReader(bytes.NewReader([]byte("{")), bytes.NewReader(text)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return head.Sum, fmt.Errorf("the line is of another virtmatrix: %w", err)
	}
	return head.Sum, nil
}

// entry is what a line of a journal holds: an answer, or the end of the answers.
type entry struct {
	Record
	// Closed is set when the process ended by itself. Then it answers nothing.
	Closed bool `json:"closed,omitempty"`
}

// chain is the state of a file after one of its lines.
type chain struct {
	sum    string
	closed bool
}

// answer seals the line of an answer.
func (c *chain) answer(r *Record) (line []byte, err error) {
	if err := r.answers(); err != nil {
		return nil, err
	}
	c.closed = false
	line, c.sum, err = Seal(c.sum, r)
	return line, err
}

// end seals the line that closes a file.
func (c *chain) end() (line []byte, err error) {
	c.closed = true
	line, c.sum, err = Seal(c.sum, map[string]bool{"closed": true})
	return line, err
}

// read takes the next line of a file. A line that does not follow from the one
// before answers nothing, but the ones after it may follow from it.
func (c *chain) read(line []byte) (*Record, error) {
	var e entry
	sum, err := Unseal(c.sum, line, &e)
	if sum != "" {
		c.sum, c.closed = sum, e.Closed
	}
	if err != nil || e.Closed {
		return nil, err
	}
	if err := e.answers(); err != nil {
		return nil, err
	}
	return &e.Record, nil
}
