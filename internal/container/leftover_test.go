package container

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/moby/api/types/mount"

	"github.com/virtmatrix/virtmatrix/internal/owner"
	"github.com/virtmatrix/virtmatrix/internal/store/disk"
)

func TestRealOrphansAreThoseOfDeadOwners(t *testing.T) {
	o := realOptions(t)
	alive := up(t, o)
	// One that was made and not started does not end by itself.
	dead := &Host{engine: alive.engine, settings: o.Settings, folder: &owner.Folder{Path: filepath.Join(t.TempDir(), "gone")}}
	image, err := alive.engine.userland(t.Context(), o.Parts.Root, o.Parts.Sums[o.Parts.Root], o.Home)
	if err != nil {
		t.Fatal(err)
	}
	c, err := alive.engine.provider.CreateContainer(t.Context(), dead.request(o, image, []mount.Mount{}))
	if err != nil {
		t.Fatal(err)
	}
	orphan := Orphan{ID: c.GetContainerID(), Cell: "fault"}
	found, err := alive.engine.Orphans(t.Context())
	if err != nil || !slices.Contains(found, orphan) || slices.ContainsFunc(found, func(o Orphan) bool { return o.ID == alive.id }) {
		t.Errorf("found %v (%v), want %v and not that of a living owner", found, err, orphan)
	}
	for range 2 { // the second finds that it is gone
		if err := alive.engine.Remove(t.Context(), orphan); err != nil {
			t.Error(err)
		}
	}
	if found, err := alive.engine.Orphans(t.Context()); err != nil || slices.Contains(found, orphan) {
		t.Errorf("still there: %v, %v", found, err)
	}
	if err := alive.Alive(); err != nil {
		t.Error(err)
	}
}

func TestRealViewsThatNobodyUsesOrFills(t *testing.T) {
	realOptions(t)
	engine, err := Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	for _, name := range []string{"0123456789abcdef", "1123456789abcdef.draft", "2123456789abcdef.draft"} {
		if err := os.MkdirAll(filepath.Join(views(home), name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	release, err := disk.Lock(t.Context(), viewLock(home, "1123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	got, err := engine.Views(t.Context(), home)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{filepath.Join(views(home), "0123456789abcdef"), filepath.Join(views(home), "2123456789abcdef.draft")}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestRealImageIsImportedOnce(t *testing.T) {
	o := realOptions(t)
	engine, err := Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sum := strings.Repeat("0ce1", 16)
	t.Cleanup(func() {
		_ = engine.RemoveImage(context.Background(), Image{Ref: reference(sum, o.Home)})
	})
	ids := make(chan string, 2)
	for range 2 {
		go func() {
			id, err := engine.userland(t.Context(), o.Parts.Root, sum, o.Home)
			if err != nil {
				t.Error(err)
			}
			ids <- id
		}()
	}
	// Each import makes another image: its time is part of it.
	if a, b := <-ids, <-ids; a != b || len(a) != 64 {
		t.Errorf("imported as %q and as %q", a, b)
	}
}
