package snapshot

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/store/disk"
	"github.com/virtmatrix/virtmatrix/matrix"
	"golang.org/x/sys/unix"
)

var (
	subject = of("kvm", "7.2")
	other   = of("kvm", "10.0")
)

func of(kind, emulator string) Subject {
	s, err := NewSubject(kind, map[string]any{"emulator": emulator, "args": []string{"-cpu", "a<b"}}, []string{"1234"})
	if err != nil {
		panic(err)
	}
	return s
}

var content = bytes.Repeat([]byte("state "), 100_000)

func write(d *Draft) error {
	if err := d.Write("state", func(w io.Writer) error { _, err := w.Write(content); return err }); err != nil {
		return err
	}
	return d.Write("console", func(w io.Writer) error { _, err := io.WriteString(w, "Linux version\n"); return err })
}

func testStore(dir string) *Store { return &Store{dir: dir} }

// made is a store that holds the subject's snapshot.
func made(t *testing.T) *Store {
	t.Helper()
	s := testStore(t.TempDir())
	if ok, err := s.Make(subject, write); !ok || err != nil {
		t.Fatalf("Make = %v, %v", ok, err)
	}
	return s
}

// use reads all files of the subject's snapshot.
func use(s *Store, of Subject) error {
	snap, err := s.Find(of)
	if err != nil {
		return err
	}
	for _, f := range snap.Manifest.Files {
		if err := snap.Read(f.Name, func(r io.Reader) error { _, err := io.Copy(io.Discard, r); return err }); err != nil {
			return err
		}
	}
	return nil
}

func TestASnapshotIsReadAsItWasWritten(t *testing.T) {
	s := made(t)
	snap, err := s.Find(subject)
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	if err := snap.Read("state", func(r io.Reader) error { _, err := got.ReadFrom(r); return err }); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), content) {
		t.Error("the state is another")
	}
	if want := int64(len(content)) + 14; snap.Size() != want {
		t.Errorf("size %d, want %d", snap.Size(), want)
	}
	again, err := s.Make(subject, func(*Draft) error { t.Error("it is written twice"); return nil })
	if again || err != nil {
		t.Errorf("Make of one that is there = %v, %v", again, err)
	}
	if _, err := s.Find(other); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Find of one that is not there = %v", err)
	}
}

func TestWhatWasReadInPartIsVerifiedWhole(t *testing.T) {
	snap, err := made(t).Find(subject)
	if err != nil {
		t.Fatal(err)
	}
	gone := errors.New("broken pipe")
	if err := snap.Read("state", func(io.Reader) error { return gone }); err != gone {
		t.Errorf("Read = %v, want the reader's own error", err)
	}
	edit(t, filepath.Join(snap.dir, "state"), len(content)-1)
	if err := snap.Read("state", func(io.Reader) error { return gone }); !isBad(err) {
		t.Errorf("Read = %v, want that the snapshot is bad", err)
	}
}

func isBad(err error) bool {
	var bad *BadError
	return errors.As(err, &bad)
}

// edit changes one byte of a file.
func edit(t *testing.T, path string, at int) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[at] ^= 1
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func replace(t *testing.T, path, old, new string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(b), old) {
		t.Fatalf("%s does not hold %q", path, old)
	}
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(string(b), old, new)), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestASnapshotThatIsNotWhatItWasIsRefused(t *testing.T) {
	for name, tc := range map[string]struct {
		harm func(t *testing.T, dir string)
		says string
	}{
		"torn file":      {func(t *testing.T, dir string) { check(t, os.Truncate(filepath.Join(dir, "state"), 1000)) }, "file state has 1000 bytes, its manifest says 600000"},
		"file that grew": {func(t *testing.T, dir string) { check(t, os.Truncate(filepath.Join(dir, "state"), 600001)) }, "file state has 600001 bytes"},
		"edited file":    {func(t *testing.T, dir string) { edit(t, filepath.Join(dir, "state"), 300_000) }, "file state has blake2b"},
		"missing file":   {func(t *testing.T, dir string) { check(t, os.Remove(filepath.Join(dir, "console"))) }, "no such file"},
		"file elsewhere": {func(t *testing.T, dir string) { link(t, filepath.Join(dir, "state")) }, "file state has"},
		"no manifest":    {func(t *testing.T, dir string) { check(t, os.Remove(filepath.Join(dir, manifestName))) }, "it has no manifest"},
		"torn manifest":  {func(t *testing.T, dir string) { check(t, os.Truncate(filepath.Join(dir, manifestName), 100)) }, "its manifest does not read"},
		"other emulator": {func(t *testing.T, dir string) { replace(t, filepath.Join(dir, manifestName), `"7.2"`, `"7.3"`) }, "its identity's is"},
		"other format": {func(t *testing.T, dir string) {
			replace(t, filepath.Join(dir, manifestName), `"format": 2`, `"format": 7`)
		}, "it has format 7"},
		"file of outside": {func(t *testing.T, dir string) { replace(t, filepath.Join(dir, manifestName), `"console"`, `"../x"`) }, `names the file "../x"`},
	} {
		s := made(t)
		tc.harm(t, s.path(subject.Name()))
		err := use(s, subject)
		if !isBad(err) || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v, want that it %q", name, err, tc.says)
		}
		if err := s.Remove(subject.Name()); err != nil {
			t.Errorf("%s: Remove = %v", name, err)
		}
		if ok, err := s.Make(subject, write); !ok || err != nil || use(s, subject) != nil {
			t.Errorf("%s: made again: %v, %v", name, ok, err)
		}
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func link(t *testing.T, path string) {
	t.Helper()
	check(t, os.Rename(path, path+".away"))
	check(t, os.Symlink(path+".away", path))
}

func TestAForeignSnapshotIsRefused(t *testing.T) {
	s := made(t)
	check(t, os.Rename(s.path(subject.Name()), s.path(other.Name())))
	if err := use(s, other); !isBad(err) || !strings.Contains(err.Error(), "its manifest is of "+subject.Key()[:16]) {
		t.Errorf("a foreign snapshot: %v", err)
	}
}

func TestAFailedWriteLeavesNothing(t *testing.T) {
	s := testStore(t.TempDir())
	cause := errors.New("the emulator ended")
	_, err := s.Make(subject, func(d *Draft) error {
		if err := write(d); err != nil {
			return err
		}
		return cause
	})
	if v, _ := fault.Classify(err); !errors.Is(err, cause) || v != matrix.Infra {
		t.Errorf("Make = %v", err)
	}
	leaves(t, s)
	if _, err := s.Find(subject); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Find = %v", err)
	}
}

// leaves checks that a store holds nothing but its locks and the given folders.
func leaves(t *testing.T, s *Store, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(s.dir)
	check(t, err)
	var got []string
	for _, e := range entries {
		if e.Name() != locksName {
			got = append(got, e.Name())
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(names) {
		t.Errorf("the store holds %q, want %q", got, names)
	}
}

func TestAFullDiskIsToldAndLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=300k"); err != nil {
		t.Skipf("cannot mount a small disk: %v", err)
	}
	defer func() { check(t, unix.Unmount(dir, 0)) }()
	s := testStore(dir)
	ok, err := s.Make(subject, write)
	var full *disk.FullError
	if ok || !errors.As(err, &full) || !strings.Contains(err.Error(), "make room") {
		t.Errorf("Make = %v, %v", ok, err)
	}
	leaves(t, s)
	if err := imaged(t).CopyTo("ram", filepath.Join(dir, "copy")); err == nil || isBad(err) {
		t.Errorf("CopyTo = %v, want the disk's fault and not the snapshot's", err)
	}
	check(t, os.Remove(filepath.Join(dir, "copy")))
	s.Reserve = 1 << 20
	ok, err = s.Make(subject, func(*Draft) error { t.Error("it is written"); return nil })
	if ok || !errors.As(err, &full) || !strings.Contains(err.Error(), "snapshots leave 1 MiB of it free") {
		t.Errorf("Make on a disk that is nearly full = %v, %v", ok, err)
	}
}

func TestTheOneThatWasNotUsedTheLongestMakesRoom(t *testing.T) {
	s := testStore(t.TempDir())
	make := func(emulator string) {
		t.Helper()
		if ok, err := s.Make(of("kvm", emulator), write); !ok || err != nil {
			t.Fatalf("Make = %v, %v", ok, err)
		}
		// Ages the others: what is found is used now.
		all, err := s.List()
		check(t, err)
		for _, snap := range all {
			was := snap.used().Add(-time.Hour)
			check(t, os.Chtimes(filepath.Join(snap.dir, manifestName), was, was))
		}
	}
	make("1")
	make("2")
	make("3")
	s.Limit = 3*int64(len(content)) + 1000
	if _, err := s.Find(of("kvm", "1")); err != nil {
		t.Fatal(err)
	}
	make("4")
	for emulator, want := range map[string]bool{"1": true, "2": false, "3": true, "4": true} {
		if _, err := s.Find(of("kvm", emulator)); (err == nil) != want {
			t.Errorf("%s: %v", emulator, err)
		}
	}
}

func TestOneOfManyMakesIt(t *testing.T) {
	s := testStore(t.TempDir())
	var wrote, made atomic.Int32
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			ok, err := s.Make(subject, func(d *Draft) error { wrote.Add(1); return write(d) })
			if err != nil {
				t.Error(err)
			}
			if ok {
				made.Add(1)
			}
		})
	}
	group.Wait()
	if wrote.Load() != 1 || made.Load() != 1 {
		t.Errorf("%d wrote it and %d made it, want one", wrote.Load(), made.Load())
	}
	check(t, use(s, subject))
}

func TestSnapshotsAreListedAndRemoved(t *testing.T) {
	s := made(t)
	check(t, os.Mkdir(s.path("kvm-ffff"), 0o755))
	all, err := s.List()
	check(t, err)
	if len(all) != 2 || all[0].Name != subject.Name() || all[0].Size() == 0 || all[1].Name != "kvm-ffff" || all[1].Size() != 0 {
		t.Errorf("List = %+v", all)
	}
	for _, snap := range all {
		check(t, s.Remove(snap.Name))
	}
	leaves(t, s)
	check(t, s.Remove(subject.Name())) // someone else was faster
	for _, odd := range []string{"../x", ".draft-kvm", locksName, "a/b"} {
		if err := s.Remove(odd); err == nil {
			t.Errorf("Remove(%q) is allowed", odd)
		}
	}
	if all, err := testStore(filepath.Join(t.TempDir(), "none")).List(); len(all) != 0 || err != nil {
		t.Errorf("List of no folder = %v, %v", all, err)
	}
}
