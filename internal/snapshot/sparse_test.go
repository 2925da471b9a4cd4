package snapshot

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// words are what the image of the tests holds, by place.
var words = map[int64]string{
	0: "first", 3*chunkSize - 2: "across", 512<<20 + 17: strings.Repeat("middle", chunkSize/4), 1 << 30: "last!",
}

const imageSize = 1<<30 + 5

// image makes a sparse file of 1 GiB with some words in it.
func image(t *testing.T) *os.File {
	t.Helper()
	f := empty(t)
	check(t, f.Truncate(imageSize))
	for at, word := range words {
		_, err := f.WriteAt([]byte(word), at)
		check(t, err)
	}
	_, err := f.WriteAt(make([]byte, 1<<20), 700<<20) // zeros that take room
	check(t, err)
	return f
}

func empty(t *testing.T) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "image"))
	check(t, err)
	t.Cleanup(func() { f.Close() })
	return f
}

// imaged is the snapshot of an image alone.
func imaged(t *testing.T) *Snapshot {
	t.Helper()
	s := testStore(t.TempDir())
	_, err := s.Make(subject, func(d *Draft) error { return d.Copy("ram", image(t)) })
	check(t, err)
	snap, err := s.Find(subject)
	check(t, err)
	return snap
}

func TestAnImageComesOutTheSame(t *testing.T) {
	snap := imaged(t)
	out := empty(t)
	check(t, snap.CopyTo("ram", out.Name()))
	mapped, err := snap.Image("ram")
	check(t, err)
	defer mapped.Close()
	for name, f := range map[string]*os.File{"copy": out, "kept": mapped} {
		for at, word := range words {
			got := make([]byte, len(word))
			if _, err := f.ReadAt(got, at); err != nil || string(got) != word {
				t.Errorf("%s: at %d: %.20q, %v", name, at, got, err)
			}
		}
		st, err := f.Stat()
		check(t, err)
		if taken := st.Sys().(*syscall.Stat_t).Blocks * 512; st.Size() != imageSize || taken > 3<<20 {
			t.Errorf("%s: %d bytes that take %d", name, st.Size(), taken)
		}
		gap := make([]byte, 1<<20)
		if _, err := f.ReadAt(gap, 700<<20); err != nil || !bytes.Equal(gap, make([]byte, 1<<20)) {
			t.Errorf("%s: a hole holds something, %v", name, err)
		}
	}
	if size := snap.Size(); size < 1<<20 || size > 3<<20 {
		t.Errorf("its size is %d", size)
	}
}

func TestHolesMakeNoDifferenceToTheDigest(t *testing.T) {
	sparse := image(t)
	dense, err := io.ReadAll(io.NewSectionReader(sparse, 0, 8<<20))
	check(t, err)
	everywhere := func(from int64) (int64, error) { return from, nil }
	want, _, err := digestImage(bytes.NewReader(dense), everywhere, 8<<20, nil)
	check(t, err)
	if got, _, err := digestImage(sparse, dataOf(sparse), 8<<20, nil); err != nil || got != want {
		t.Errorf("digest %s, %v, that of the same without holes is %s", got, err, want)
	}
	for name, size := range map[string]int64{"longer": 8<<20 + 1, "shorter": 8<<20 - 1} {
		if got, _, err := digestImage(sparse, dataOf(sparse), size, nil); err != nil || got == want {
			t.Errorf("one that is %s has the same digest, %v", name, err)
		}
	}
}

func TestAnImageThatWasTouchedIsSeen(t *testing.T) {
	for name, harm := range map[string]func(f *os.File) error{
		"a word":    func(f *os.File) error { _, err := f.WriteAt([]byte("F"), 0); return err },
		"in a hole": func(f *os.File) error { _, err := f.WriteAt([]byte("x"), 300<<20); return err },
		"moved": func(f *os.File) error {
			_, err := f.WriteAt(append(make([]byte, 5), strings.Repeat("\x00", pageSize-5)+"first"...), 0)
			return err
		},
		"at the end": func(f *os.File) error { _, err := f.WriteAt([]byte("?"), imageSize-1); return err },
	} {
		t.Run(name, func(t *testing.T) {
			snap := imaged(t)
			f, err := snap.Image("ram")
			check(t, err)
			defer f.Close()
			verify(t, snap, f)
			verify(t, snap, f)
			w, err := os.OpenFile(filepath.Join(snap.dir, "ram"), os.O_WRONLY, 0)
			check(t, err)
			defer w.Close()
			check(t, harm(w))
			if _, err := snap.Verify("ram", f); !isBad(err) || !strings.Contains(err.Error(), "file ram has blake2b") {
				t.Errorf("Verify = %v", err)
			}
			if err := snap.CopyTo("ram", empty(t).Name()); !isBad(err) {
				t.Errorf("CopyTo = %v", err)
			}
		})
	}
}

func verify(t *testing.T, snap *Snapshot, f *os.File) *Verified {
	t.Helper()
	v, err := snap.Verify("ram", f)
	check(t, err)
	return v
}

func TestAWriteToAnImageThatIsMappedIsSeen(t *testing.T) {
	snap := imaged(t)
	f, err := snap.Image("ram")
	check(t, err)
	v := verify(t, snap, f)
	check(t, v.Unchanged())
	path := filepath.Join(snap.dir, "ram")
	gone := filepath.Join(t.TempDir(), "ram")
	check(t, os.Rename(path, gone))
	check(t, v.Unchanged())
	w, err := os.OpenFile(gone, os.O_WRONLY, 0)
	check(t, err)
	defer w.Close()
	check(t, os.Remove(gone))
	check(t, v.Unchanged())
	_, err = w.WriteAt([]byte("F"), 0)
	check(t, err)
	if err := v.Unchanged(); err == nil || !strings.Contains(err.Error(), "file ram of snapshot "+snap.Name+" was changed") {
		t.Errorf("Unchanged = %v", err)
	}
	check(t, f.Close())
	check(t, v.Unchanged()) // nobody has it mapped any more
}

func TestAFileIsTakenForVerifiedUntilItIsTouched(t *testing.T) {
	f := image(t)
	var s seen
	now, err := stampOf(f)
	check(t, err)
	if s.add(now, "sum"); s.has(now, "sum") {
		t.Error("one that was just written is taken for verified")
	}
	old := now
	old.change.Sec -= 2
	s.add(old, "sum")
	if !s.has(old, "sum") || s.has(old, "other") || s.has(now, "sum") {
		t.Error("it is not told apart")
	}
}

func TestAProcessWithTooManyOpenFilesBlamesNoSnapshot(t *testing.T) {
	snap := imaged(t)
	var most unix.Rlimit
	check(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &most))
	check(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 1, Max: most.Max}))
	_, err := snap.Image("ram")
	check(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &most))
	if !errors.Is(err, unix.EMFILE) || isBad(err) {
		t.Errorf("Image = %v", err)
	}
}
