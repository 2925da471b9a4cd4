package verdict

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/journal"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// Entry is a kept answer.
type Entry struct {
	// Question is the canonical form of what was asked; its hash is the key.
	Question json.RawMessage `json:"question"`
	Record   journal.Record  `json:"record"`
	// Run is the name of the run that gave the answer.
	Run  string    `json:"run"`
	Kept time.Time `json:"kept"`
	// Evidence are the files of the record's evidence.
	Evidence []File `json:"evidence,omitempty"`
}

// File is a file of evidence.
type File struct {
	// Name is relative to the folder of the evidence.
	Name    string `json:"name"`
	Content []byte `json:"content"`
}

// Tells says whether an answer tells something new of the product. Our own faults
// do not, what was blocked says nothing of itself, and what is kept is known.
func Tells(r *journal.Record) bool {
	return (r.Verdict == matrix.Pass || r.Verdict == matrix.Fail) && r.Cached == nil
}

// Keeps says whether an answer may be given again: one that tells something, at
// the first try, because a second one hides it.
func Keeps(r *journal.Record) bool { return Tells(r) && r.Attempts == 1 }

// sealed is an entry on disk, with the SHA-256 of its exact text.
type sealed struct {
	Sum   string          `json:"sha256"`
	Entry json.RawMessage `json:"entry"`
}

func seal(e Entry) ([]byte, error) {
	text, err := json.Marshal(e)
	if err != nil {
		return nil, err
	}
	text, err = json.Marshal(sealed{sumOf(text), text})
	return append(text, '\n'), err
}

func sumOf(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// unseal reads an entry and says what is wrong with it when it is not the whole,
// unchanged answer to the question.
func unseal(text []byte, q *Question, question []byte) (Entry, error) {
	var s sealed
	var e Entry
	if err := strict(text, &s); err != nil {
		return e, fmt.Errorf("it is no entry, or not a whole one: %w", err)
	}
	if got := sumOf(s.Entry); got != s.Sum {
		return e, fmt.Errorf("it was changed: its text has the sha256 %.12s, and was written with %.12s", got, s.Sum)
	}
	if err := strict(s.Entry, &e); err != nil {
		return e, fmt.Errorf("it is of another virtmatrix: %w", err)
	}
	return e, e.answers(q, question)
}

// answers says why an entry is no answer to the question.
func (e *Entry) answers(q *Question, question []byte) error {
	switch r := &e.Record; {
	case !bytes.Equal(e.Question, question):
		return fmt.Errorf("it answers another question, %.12s", keyOf(e.Question))
	case r.Cell != q.Cell.ID || r.Check != q.Check.ID:
		return fmt.Errorf("it is about %q of %q", r.Check, r.Cell)
	case !Keeps(r):
		return fmt.Errorf("a %s after %d attempts is never kept", r.Verdict, r.Attempts)
	case r.Evidence != "" && !filepath.IsLocal(r.Evidence):
		return fmt.Errorf("its evidence belongs to %q, which is not in a run's folder", r.Evidence)
	}
	for _, f := range e.Evidence {
		if !filepath.IsLocal(f.Name) {
			return fmt.Errorf("its evidence has a file %q, which is not in its folder", f.Name)
		}
	}
	return nil
}

// strict reads one JSON value of known fields and nothing after it.
func strict(text []byte, to any) error {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(to); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows after its end")
	}
	return nil
}
