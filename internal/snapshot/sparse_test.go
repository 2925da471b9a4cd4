package snapshot

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// image makes a sparse file of 1 GiB with some words in it.
func image(t *testing.T) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "image"))
	check(t, err)
	t.Cleanup(func() { f.Close() })
	check(t, f.Truncate(1<<30+5))
	for at, word := range words {
		_, err := f.WriteAt([]byte(word), at)
		check(t, err)
	}
	_, err = f.WriteAt(make([]byte, 1<<20), 700<<20) // zeros that take room
	check(t, err)
	return f
}

var words = map[int64]string{0: "first", 3*blockSize - 2: "across", 512<<20 + 17: strings.Repeat("middle", blockSize), 1 << 30: "last!"}

func TestAPackedImageComesOutTheSame(t *testing.T) {
	var packed bytes.Buffer
	check(t, Pack(&packed, image(t)))
	if packed.Len() > 1<<20 {
		t.Errorf("the packed image has %d bytes: its holes are in it", packed.Len())
	}
	f, err := os.Create(filepath.Join(t.TempDir(), "again"))
	check(t, err)
	defer f.Close()
	check(t, Unpack(&packed, f))
	for at, word := range words {
		got := make([]byte, len(word))
		if _, err := f.ReadAt(got, at); err != nil || string(got) != word {
			t.Errorf("at %d: %.20q, %v", at, got, err)
		}
	}
	st, err := f.Stat()
	check(t, err)
	if taken := st.Sys().(*syscall.Stat_t).Blocks * 512; st.Size() != 1<<30+5 || taken > 2<<20 {
		t.Errorf("%d bytes that take %d", st.Size(), taken)
	}
	gap := make([]byte, 1<<20)
	if _, err := f.ReadAt(gap, 700<<20); err != nil || !bytes.Equal(gap, make([]byte, 1<<20)) {
		t.Errorf("a hole holds something, %v", err)
	}
}

func TestAPackedImageThatIsWrongIsRefused(t *testing.T) {
	pack := func(ns ...uint64) []byte {
		b, err := binary.Append(nil, binary.LittleEndian, ns)
		check(t, err)
		return b
	}
	for name, tc := range map[string]struct {
		packed []byte
		says   string
	}{
		"nothing":          {nil, "EOF"},
		"no end":           {pack(100), "EOF"},
		"half a block":     {pack(100, 0, 50), "EOF"},
		"block too large":  {append(pack(1<<30, 0, blockSize+1), make([]byte, blockSize+1)...), "does not fit in"},
		"behind the end":   {append(pack(100, 90, 11), make([]byte, 11)...), "a block of 11 bytes at 90 does not fit in"},
		"far behind":       {append(pack(100, 1<<63, 11), make([]byte, 11)...), "does not fit in"},
		"impossible sizes": {pack(1<<63, last, 0), "cannot unpack"},
	} {
		f, err := os.Create(filepath.Join(t.TempDir(), "image"))
		check(t, err)
		err = Unpack(bytes.NewReader(tc.packed), f)
		f.Close()
		if err == nil || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v, want %q", name, err, tc.says)
		}
	}
}
