package host

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/virtmatrix/virtmatrix/matrix"
)

func TestASnapshotThatIsNoGoodIsToldAndReplaced(t *testing.T) {
	for name, tc := range map[string]struct {
		harm func(dir string) error
		flaw string
		says string
	}{
		"torn state":     {harm: func(dir string) error { return os.Truncate(filepath.Join(dir, fileState), 1<<20) }, says: "file state has 1048576 bytes"},
		"edited state":   {harm: func(dir string) error { return flip(filepath.Join(dir, fileState)) }, says: "file state has blake2b"},
		"edited memory":  {harm: func(dir string) error { return flipAt(filepath.Join(dir, fileMemory), tokenAt) }, says: "file memory has blake2b"},
		"edited disk":    {harm: func(dir string) error { return flip(filepath.Join(dir, fileScratch)) }, says: "file scratch.img has blake2b"},
		"edited console": {harm: func(dir string) error { return flip(filepath.Join(dir, ConsoleFile)) }, says: "file console.log has blake2b"},
		"foreign":        {harm: foreign, says: "its identity's is"},
		"refused state":  {flaw: "refuses", says: "load of migration failed: Invalid argument"},
		"mute host":      {flaw: "mute", says: "no answer after"},
		"lame host":      {flaw: "lame", says: "it cannot run"},
		"dead host":      {flaw: "panics", says: "Kernel panic"},
	} {
		t.Run(name, func(t *testing.T) {
			o := fakeOptions(t)
			first, _ := token(t, o)
			if tc.flaw != "" {
				token(t, o) // the snapshot works
			}
			if tc.harm != nil {
				check(t, tc.harm(filepath.Join(storeDir(o), only(t, o))))
			}
			o.settings.Silence = 300 * time.Millisecond
			of, err := o.subject()
			check(t, err)
			t.Setenv(flawEnv, tc.flaw)
			vm, why, err := o.restore(t.Context(), of)
			if vm != nil || err != nil {
				t.Fatalf("restore = %v, %v", vm, err)
			}
			for _, want := range []string{"booted, not restored: snapshot kvm-", tc.says, "; it was removed"} {
				if !strings.Contains(why, want) {
					t.Errorf("it does not say %q: %s", want, why)
				}
			}
			t.Setenv(flawEnv, "")
			o.settings.Silence = 0
			second, notes := token(t, o)
			if second == first || notes != "" {
				t.Errorf("the next host was not booted: notes %q", notes)
			}
			if third, notes := token(t, o); third != second || !strings.Contains(notes, "restored from") {
				t.Errorf("the one after it was not restored: notes %q", notes)
			}
		})
	}
}

// storeDir is the store's folder.
func storeDir(o options) string { return filepath.Join(o.settings.ScratchDir, "snapshots") }

// flip changes the byte in the middle of a file, flipAt one at a place.
func flip(path string) error {
	st, err := os.Stat(path)
	if err != nil {
		return err
	}
	return flipAt(path, st.Size()/2)
}

func flipAt(path string, at int64) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	var b [1]byte
	if _, err := f.ReadAt(b[:], at); err != nil {
		return err
	}
	_, err = f.WriteAt([]byte{b[0] ^ 1}, at)
	return err
}

// foreign makes a snapshot one of another emulator.
func foreign(dir string) error {
	path := filepath.Join(dir, "manifest.json")
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return os.WriteFile(path, []byte(strings.ReplaceAll(string(b), `"1:7.2"`, `"1:8.0"`)), 0o600)
}

func TestASnapshotThatTheEmulatorNeverTakesIsMadeOnce(t *testing.T) {
	o := fakeOptions(t)
	first, _ := token(t, o)
	of, err := o.subject()
	check(t, err)
	t.Setenv(flawEnv, "refuses")
	vm, why, err := o.restore(t.Context(), of)
	if vm != nil || err != nil || !strings.Contains(why, "; it was removed, and none is made in its place until `virtmatrix gc -snapshots`") {
		t.Errorf("restore = %v, %q, %v", vm, why, err)
	}
	t.Setenv(flawEnv, "")
	second, notes := token(t, o)
	if second == first || notes != "" {
		t.Errorf("the second host was not booted in silence: notes %q", notes)
	}
	if Restores(o.parts, o.settings, o.emulator) {
		t.Error("another snapshot was made")
	}
	check(t, o.settings.Snapshots.Remove(of.Name()))
	third, _ := token(t, o)
	if fourth, notes := token(t, o); fourth != third {
		t.Errorf("no snapshot was made when it was asked for: notes %q", notes)
	}
}

func TestTheBootAfterABadSnapshotTellsOfIt(t *testing.T) {
	o := fakeOptions(t)
	first, _ := token(t, o)
	check(t, flip(filepath.Join(storeDir(o), only(t, o), fileState)))
	second, notes := token(t, o)
	if second == first || !strings.Contains(notes, "booted, not restored: snapshot kvm-") {
		t.Errorf("notes %q", notes)
	}
}

func TestARestoreThatIsCalledOffKeepsTheSnapshot(t *testing.T) {
	o := fakeOptions(t)
	token(t, o)
	t.Setenv(flawEnv, "mute")
	cause := errors.New("given up")
	ctx, cancel := context.WithTimeoutCause(t.Context(), 200*time.Millisecond, cause)
	defer cancel()
	vm, err := Boot(ctx, o.runtime, o.parts, o.settings, o.emulator)
	if vm != nil || !errors.Is(err, cause) {
		t.Errorf("Boot = %v, %v", vm, err)
	}
	only(t, o)
}

func TestWhatTheMachineLacksIsNotTheSnapshotsFault(t *testing.T) {
	o := fakeOptions(t)
	first, _ := token(t, o)
	of, err := o.subject()
	check(t, err)
	t.Setenv(flawEnv, "killed")
	vm, why, err := o.restore(t.Context(), of)
	if vm != nil || err != nil || !strings.HasPrefix(why, "booted, not restored: ") || !strings.Contains(why, "was ended by SIGKILL") {
		t.Errorf("restore = %v, %q, %v", vm, why, err)
	}
	if strings.Contains(why, "snapshot") || strings.Contains(why, "removed") {
		t.Errorf("the snapshot is blamed: %s", why)
	}
	t.Setenv(flawEnv, "")
	if again, notes := token(t, o); again != first {
		t.Errorf("the snapshot is gone: notes %q", notes)
	}
}

func TestAHostIsSilentUntilItIsLoaded(t *testing.T) {
	o := fakeOptions(t)
	first, _ := token(t, o)
	o.settings.Silence = 500 * time.Millisecond
	t.Setenv(flawEnv, "slow")
	if again, notes := token(t, o); again != first {
		t.Errorf("it was given up: notes %q", notes)
	}
}

func TestAHostWhoseSnapshotIsEditedIsNotBelieved(t *testing.T) {
	o := fakeOptions(t)
	token(t, o)
	memory := filepath.Join(storeDir(o), only(t, o), fileMemory)
	vm := boot(t, o)
	defer func() { check(t, vm.Close()) }()
	check(t, vm.Alive())
	check(t, flipAt(memory, tokenAt))
	says(t, vm, "[ 1.0] Kernel panic - not syncing: x\n")
	want(t, "edited", vm.Alive(), matrix.Infra, matrix.LayerHarness, "file memory of snapshot kvm-", "was changed under it")
}

func TestAHostOutlivesItsSnapshot(t *testing.T) {
	o := fakeOptions(t)
	first, _ := token(t, o)
	vm := boot(t, o)
	defer func() { check(t, vm.Close()) }()
	check(t, Forget(o.parts, o.settings, o.emulator))
	check(t, vm.Alive())
	if got := tokenOf(t, vm); got != first {
		t.Errorf("it is another: %q, want %q", got, first)
	}
}
