package capture

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

func TestASetIsTakenOnce(t *testing.T) {
	home, taken := t.TempDir(), 0
	take := func(context.Context) ([]Set, error) {
		taken++
		return []Set{facts("qmp", "a\nb"), facts("devices", "d")}, nil
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if set, err := In(home).Set(t.Context(), "image", "qmp", take); err != nil || len(set.Facts) != 2 {
				t.Errorf("%v, %v", set, err)
			}
		})
	}
	all.Wait()
	if set, err := In(home).Set(t.Context(), "image", "devices", take); err != nil || len(set.Facts) != 1 || taken != 1 {
		t.Errorf("%v, %v, taken %d times", set, err, taken)
	}
	if _, err := In(home).Set(t.Context(), "other", "qmp", func(context.Context) ([]Set, error) { return nil, errors.New("no container") }); err == nil {
		t.Error("what could not be taken is there")
	}
}

func TestATornOrOlderSetIsTakenAnew(t *testing.T) {
	file := filepath.Join("captures", "image", "qmp.json")
	for name, spoil := range map[string]func([]byte) []byte{
		"torn":    func(b []byte) []byte { return b[:len(b)/2] },
		"changed": func(b []byte) []byte { return bytes.Replace(b, []byte(`"a"`), []byte(`"c"`), 1) },
		"empty":   func([]byte) []byte { return nil },
		"of another format": func(b []byte) []byte {
			_, text, _ := bytes.Cut(b, []byte("\n"))
			text = bytes.Replace(text, []byte(`"format":1`), []byte(`"format":0`), 1)
			return append([]byte(digest(text)+"\n"), text...)
		},
	} {
		home, taken := t.TempDir(), 0
		take := func(context.Context) ([]Set, error) {
			taken++
			return []Set{facts("qmp", "a")}, nil
		}
		if _, err := In(home).Set(t.Context(), "image", "qmp", take); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(home, file))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(home, file), spoil(bytes.Clone(b)), 0o644); err != nil {
			t.Fatal(err)
		}
		set, err := In(home).Set(t.Context(), "image", "qmp", take)
		if err != nil || taken != 2 || set.Facts[0].Path != "a" {
			t.Errorf("%s: %v, %v, taken %d times", name, set, err, taken)
		}
		if again, err := os.ReadFile(filepath.Join(home, file)); err != nil || !bytes.Equal(b, again) {
			t.Errorf("%s: the same set has other bytes: %v", name, err)
		}
	}
}
