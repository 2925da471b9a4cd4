package cache

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// MaxAge is how long indexes are used as a rule. Debian's archive changes four times a day.
const MaxAge = 6 * time.Hour

// Index is the folder of the index of a release: when it was made and by which
// settings, and what it was asked. Resolvers take the better part of a second for
// each question, and the same index gives the same answer.
type Index struct{ Dir string }

func (i Index) stamp() string { return filepath.Join(i.Dir, "updated") }

// Made is when the index was made, if it is whole.
func (i Index) Made() (time.Time, bool) {
	info, err := os.Stat(i.stamp())
	if err != nil {
		return time.Time{}, false
	}
	return info.ModTime(), true
}

func (i Index) answers() string { return filepath.Join(i.Dir, "answers") }

// Fresh says whether the index is whole, of these settings, younger than maxAge and,
// unless since is zero, not older than that.
func (i Index) Fresh(settings string, maxAge time.Duration, since time.Time) bool {
	text, err := os.ReadFile(i.stamp())
	if err != nil || string(text) != settings {
		return false
	}
	info, err := os.Stat(i.stamp())
	if err != nil || info.ModTime().Before(since) {
		return false
	}
	age := time.Since(info.ModTime())
	return age >= 0 && age < maxAge
}

// Begin drops the stamp and the answers of the index before, when a new one is made.
func (i Index) Begin() error {
	if err := os.RemoveAll(i.stamp()); err != nil {
		return err
	}
	return os.RemoveAll(i.answers())
}

// Done stamps the index. One without a stamp may be half there.
func (i Index) Done(settings string) error {
	return os.WriteFile(i.stamp(), []byte(settings), 0o644)
}

func (i Index) answer(question []string) string {
	key := sha256.Sum256([]byte(strings.Join(question, " ")))
	return filepath.Join(i.answers(), hex.EncodeToString(key[:])+".json")
}

// Recall reads the noted answer. One that cannot be read is none.
func (i Index) Recall(question []string, to any) bool {
	text, err := os.ReadFile(i.answer(question))
	return err == nil && json.Unmarshal(text, to) == nil
}

// Note keeps an answer until the next index.
func (i Index) Note(question []string, answer any) error {
	text, err := json.Marshal(answer)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(i.answers(), 0o755); err != nil {
		return err
	}
	return os.WriteFile(i.answer(question), text, 0o644)
}
