package capture

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/virtmatrix/virtmatrix/internal/store/disk"
)

// Store keeps sets in the folder "captures" of a cache, by a key that names all that
// decides what is in them.
type Store struct{ home string }

// In is the store of a cache.
func In(home string) *Store { return &Store{home} }

// Set returns the set of a kind. What is not there, torn, changed or of another format
// is taken: all kinds at once, because to get at the image costs more than to look at
// it. Of processes that want the same at a time one takes it, and the others wait.
func (s *Store) Set(ctx context.Context, key, kind string, take func(context.Context) ([]Set, error)) (Set, error) {
	if set, err := s.load(key, kind); err == nil {
		return set, nil
	}
	release, err := disk.Lock(ctx, filepath.Join(s.home, "locks", "captures-"+key+".lock"))
	if err != nil {
		return Set{}, err
	}
	defer release()
	if set, err := s.load(key, kind); err == nil {
		return set, nil
	}
	sets, err := take(ctx)
	if err != nil {
		return Set{}, err
	}
	if err := s.keep(key, sets); err != nil {
		return Set{}, disk.Explain(fmt.Errorf("cannot keep captures: %w", err), s.home)
	}
	for _, set := range sets {
		if set.Kind == kind {
			return set, nil
		}
	}
	return Set{}, fmt.Errorf("cannot take captures: there is none of kind %q", kind)
}

func (s *Store) dir(key string) string { return filepath.Join(s.home, "captures", key) }

// load reads a set: a line with the SHA-256 of what follows, and then the set.
func (s *Store) load(key, kind string) (set Set, err error) {
	path := filepath.Join(s.dir(key), kind+".json")
	text, err := os.ReadFile(path)
	if err != nil {
		return set, fmt.Errorf("cannot read captures: %w", err)
	}
	sum, text, _ := bytes.Cut(text, []byte("\n"))
	if digest(text) != string(sum) {
		return set, fmt.Errorf("cannot read captures: %s is not what was written", path)
	}
	if err := json.Unmarshal(text, &set); err != nil {
		return set, fmt.Errorf("cannot read captures: %s: %w", path, err)
	}
	if set.Format != Format || set.Kind != kind {
		return set, fmt.Errorf("cannot read captures: %s is of kind %q and format %d", path, set.Kind, set.Format)
	}
	return set, nil
}

// keep writes sets beside their place and moves them there when they are whole.
func (s *Store) keep(key string, sets []Set) (err error) {
	draft := s.dir(key) + ".draft"
	if err := errors.Join(os.RemoveAll(draft), os.MkdirAll(draft, 0o755)); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(draft)) }()
	for _, set := range sets {
		text, err := json.Marshal(set)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(draft, set.Kind+".json"), append([]byte(digest(text)+"\n"), text...), 0o644); err != nil {
			return err
		}
	}
	if err := disk.SyncTree(draft); err != nil {
		return err
	}
	// What is there was found wanting, and who reads it meanwhile takes it anew.
	if err := os.RemoveAll(s.dir(key)); err != nil {
		return err
	}
	return os.Rename(draft, s.dir(key))
}

func digest(text []byte) string { return fmt.Sprintf("%x", sha256.Sum256(text)) }
