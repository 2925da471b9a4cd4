package bzimage

import (
	"bytes"
	"compress/gzip"
	"debug/elf"
	"encoding/binary"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// note is an ELF note of an owner.
func note(owner string, kind uint32, desc string) []byte {
	pad := func(s string) string { return s + strings.Repeat("\x00", -len(s)&3) }
	var b bytes.Buffer
	for _, n := range []uint32{uint32(len(owner) + 1), uint32(len(desc)), kind} {
		_ = binary.Write(&b, binary.LittleEndian, n)
	}
	b.WriteString(pad(owner+"\x00") + pad(desc))
	return b.Bytes()
}

// vmlinux is an ELF file with nothing but notes.
func vmlinux(notes ...[]byte) []byte {
	text := bytes.Join(notes, nil)
	h := elf.Header64{Type: uint16(elf.ET_EXEC), Machine: uint16(elf.EM_X86_64), Version: 1, Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: 1, Shentsize: 64}
	copy(h.Ident[:], "\x7fELF\x02\x01\x01")
	var b bytes.Buffer
	_ = binary.Write(&b, binary.LittleEndian, h)
	_ = binary.Write(&b, binary.LittleEndian, elf.Prog64{Type: uint32(elf.PT_NOTE), Off: 120, Filesz: uint64(len(text)), Memsz: uint64(len(text))})
	b.Write(text)
	return b.Bytes()
}

// image is a bzImage of protocol 2.15 with one sector of setup.
func image(payload []byte) []byte {
	file := make([]byte, 1024)
	file[setupSectors] = 1
	copy(file[headerMagic:], "HdrS")
	binary.LittleEndian.PutUint16(file[protocol:], 0x020f)
	binary.LittleEndian.PutUint16(file[xloadflags:], 0b1001)
	binary.LittleEndian.PutUint32(file[payloadOffset:], 16)
	binary.LittleEndian.PutUint32(file[payloadLength:], uint32(len(payload)+4))
	return append(append(append(file, make([]byte, 16)...), payload...), "size"...)
}

func written(t *testing.T, write func(io.Writer) io.WriteCloser, text []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := write(&b)
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

var packers = map[string]func(t *testing.T, text []byte) []byte{
	"gzip": func(t *testing.T, text []byte) []byte {
		return written(t, func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) }, text)
	},
	"lz4": func(t *testing.T, text []byte) []byte {
		return written(t, func(w io.Writer) io.WriteCloser {
			z := lz4.NewWriter(w)
			if err := z.Apply(lz4.LegacyOption(true)); err != nil {
				t.Fatal(err)
			}
			return z
		}, text)
	},
	"zstd": func(t *testing.T, text []byte) []byte {
		return written(t, func(w io.Writer) io.WriteCloser {
			z, err := zstd.NewWriter(w)
			if err != nil {
				t.Fatal(err)
			}
			return z
		}, text)
	},
	// As the kernel's own scripts/xz_wrap.sh does.
	"xz": func(t *testing.T, text []byte) []byte {
		c := exec.Command("xz", "--check=crc32", "--x86", "--lzma2=preset=6", "--stdout")
		c.Stdin = bytes.NewReader(text)
		out, err := c.Output()
		if err != nil {
			t.Fatal(err)
		}
		return out
	},
}

func TestAKernelIsReadHoweverItIsPacked(t *testing.T) {
	kernel := vmlinux(note("Linux", 18, "no note for Xen"), note("Xen", 18, "addr"), note("Xen", 6, "linux\x00"), note("Xen", 99, "x"), note("Xen", 10, "!writable_page_tables\x00"))
	for packing, pack := range packers {
		path := filepath.Join(t.TempDir(), "vmlinuz")
		if err := os.WriteFile(path, image(pack(t, kernel)), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := Read(t.Context(), path)
		want := Kernel{Protocol: "2.15", Loads: []string{"KERNEL_64", "EFI_HANDOVER_64"}, Packing: packing, Notes: map[string]string{"PHYS32_ENTRY": "", "GUEST_OS": "linux", "FEATURES": "!writable_page_tables"}}
		if d := cmp.Diff(want, got); err != nil || d != "" {
			t.Errorf("%s: %v\n%s", packing, err, d)
		}
	}
}

func TestWhatIsNoKernelIsRefused(t *testing.T) {
	good := func() []byte { return image(packers["zstd"](t, vmlinux(note("Xen", 18, "addr")))) }
	for name, tc := range map[string]struct {
		file []byte
		want string
	}{
		"empty":            {nil, "no header HdrS"},
		"an ELF file":      {append(vmlinux(), make([]byte, 1024)...), "no header HdrS"},
		"old":              {func() []byte { f := good(); f[protocol] = 2; return f }(), "boot protocol 2.02 is older than 2.12"},
		"torn":             {good()[:1050], "its payload is said to be at bytes 1040 to"},
		"a broken payload": {image(append([]byte("\x28\xb5\x2f\xfd"), make([]byte, 64)...)), "cannot unpack its payload"},
		"no ELF file":      {image(packers["zstd"](t, []byte("text"))), "cannot read what its payload holds"},
	} {
		path := filepath.Join(t.TempDir(), "vmlinuz")
		if err := os.WriteFile(path, tc.file, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(t.Context(), path); err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
	}
}

func TestAKernelThatNobodyCanUnpackHasNoNotesAndSaysWhy(t *testing.T) {
	for payload, want := range map[string]string{
		"PK\x03\x04 and more": "packed by something unknown, begins with 504b03042061: virtmatrix does not unpack it",
		"BZh91 and more":      "packed by bzip2, begins with 425a68393120: virtmatrix does not unpack it",
	} {
		path := filepath.Join(t.TempDir(), "vmlinuz")
		if err := os.WriteFile(path, image([]byte(payload)), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := Read(t.Context(), path); err != nil || got.Unread != want || got.Protocol != "2.15" {
			t.Errorf("%+v, %v", got, err)
		}
	}
}
