// Package bzimage reads a Linux kernel as loaders get it: how it is started and packed,
// and the notes of what is in it. What it reads is written down in the kernel's
// Documentation/arch/x86/boot.rst.
package bzimage

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"

	"github.com/virtmatrix/virtmatrix/internal/source/tool"
)

// Kernel is what a loader finds in a bzImage.
type Kernel struct {
	// Protocol is the version of the boot protocol, as "2.15".
	Protocol string `json:"protocol"`
	// Loads are the ways in which it lets itself be loaded.
	Loads []string `json:"loads"`
	// Packing is how the payload is compressed: "xz", "zstd".
	Packing string `json:"packing"`
	// Notes are those of the kernel within, which Xen and direct boot (PVH) go by, with
	// their values where these are no addresses.
	Notes map[string]string `json:"notes"`
	// Unread says why nobody could look for notes; empty when they were looked for.
	Unread string `json:"unread,omitempty"`
}

// loads are the flags xloadflags of the header (XLF_*), by their bits.
var loads = []string{"KERNEL_64", "CAN_BE_LOADED_ABOVE_4G", "EFI_HANDOVER_32", "EFI_HANDOVER_64", "EFI_KEXEC", "5LEVEL", "5LEVEL_ENABLED", "MEM_ENCRYPTION"}

// packings are those of the payload, by what it begins with.
var packings = []struct{ name, magic string }{
	{"gzip", "\x1f\x8b"}, {"bzip2", "BZh"}, {"lzma", "\x5d\x00\x00"}, {"xz", "\xfd7zXZ\x00"}, {"lzo", "\x89LZO"}, {"lz4", "\x02\x21\x4c\x18"}, {"zstd", "\x28\xb5\x2f\xfd"},
}

// Where the header has its fields, in bytes from the beginning of the file.
const (
	setupSectors  = 0x1f1
	headerMagic   = 0x202
	protocol      = 0x206
	xloadflags    = 0x236
	payloadOffset = 0x248
	payloadLength = 0x24c
	headerEnd     = 0x250
)

// Read reads a kernel.
func Read(ctx context.Context, path string) (Kernel, error) {
	k, err := read(ctx, path)
	if err != nil {
		return k, fmt.Errorf("cannot read kernel %s: %w", path, err)
	}
	return k, nil
}

func read(ctx context.Context, path string) (k Kernel, err error) {
	file, err := os.ReadFile(path)
	if err != nil {
		return k, err
	}
	if len(file) < headerEnd || string(file[headerMagic:headerMagic+4]) != "HdrS" {
		return k, errors.New("it is no bzImage: it has no header HdrS")
	}
	version := binary.LittleEndian.Uint16(file[protocol:])
	k.Protocol = fmt.Sprintf("%d.%02d", version>>8, version&0xff)
	if version < 0x020c {
		return k, fmt.Errorf("its boot protocol %s is older than 2.12, which has the flags that say how it is loaded", k.Protocol)
	}
	flags := binary.LittleEndian.Uint16(file[xloadflags:])
	for bit, name := range loads {
		if flags&(1<<bit) != 0 {
			k.Loads = append(k.Loads, name)
		}
	}
	payload, err := payloadOf(file)
	if err != nil {
		return k, err
	}
	for _, p := range packings {
		if bytes.HasPrefix(payload, []byte(p.magic)) {
			k.Packing = p.name
		}
	}
	vmlinux, err := unpack(ctx, k.Packing, payload)
	if errors.Is(err, errPacking) {
		k.Unread = err.Error()
		return k, nil
	}
	if err != nil {
		return k, fmt.Errorf("cannot unpack its payload: %w", err)
	}
	k.Notes, err = notes(vmlinux)
	return k, err
}

// payloadOf is what is packed in a kernel. Its last four bytes tell how long it is unpacked.
func payloadOf(file []byte) ([]byte, error) {
	sectors := int(file[setupSectors])
	if sectors == 0 {
		sectors = 4
	}
	at := (sectors+1)*512 + int(binary.LittleEndian.Uint32(file[payloadOffset:]))
	end := at + int(binary.LittleEndian.Uint32(file[payloadLength:])) - 4
	if at < 0 || end <= at || end > len(file) {
		return nil, fmt.Errorf("its payload is said to be at bytes %d to %d of %d", at, end, len(file))
	}
	return file[at:end], nil
}

// errPacking says that a payload is packed by what virtmatrix does not unpack.
var errPacking = errors.New("virtmatrix does not unpack it")

func unpack(ctx context.Context, packing string, payload []byte) ([]byte, error) {
	switch packing {
	case "gzip":
		z, err := gzip.NewReader(bytes.NewReader(payload))
		if err != nil {
			return nil, err
		}
		return io.ReadAll(z)
	case "lz4":
		return io.ReadAll(lz4.NewReader(bytes.NewReader(payload)))
	case "zstd":
		z, err := zstd.NewReader(bytes.NewReader(payload))
		if err != nil {
			return nil, err
		}
		defer z.Close()
		return io.ReadAll(z)
	case "xz": // with a filter for x86 code, which the libraries in Go lack
		out, _, err := tool.Run(ctx, tool.Command{Argv: []string{"xz", "--decompress", "--stdout", "--single-stream"}, Stdin: bytes.NewReader(payload)})
		return out, err
	}
	return nil, fmt.Errorf("packed by %s, begins with %x: %w", cmp.Or(packing, "something unknown"), payload[:min(6, len(payload))], errPacking)
}

// xenNotes are the names of the notes of owner "Xen", by their types (Xen's
// public/elfnote.h). The values of those that are not named here are addresses.
var xenNotes = map[uint32]string{
	1: "ENTRY", 2: "HYPERCALL_PAGE", 3: "VIRT_BASE", 4: "PADDR_OFFSET", 5: "XEN_VERSION", 6: "GUEST_OS", 7: "GUEST_VERSION", 8: "LOADER", 9: "PAE_MODE", 10: "FEATURES",
	12: "HV_START_LOW", 13: "L1_MFN_VALID", 14: "SUSPEND_CANCEL", 15: "INIT_P2M", 16: "MOD_START_PFN", 17: "SUPPORTED_FEATURES", 18: "PHYS32_ENTRY", 19: "PHYS32_RELOC",
}

// textual are the notes whose value is a text.
var textual = map[uint32]bool{5: true, 6: true, 7: true, 8: true, 9: true, 10: true}

// notes reads the notes for Xen and direct boot of an ELF file.
func notes(vmlinux []byte) (map[string]string, error) {
	f, err := elf.NewFile(bytes.NewReader(vmlinux))
	if err != nil {
		return nil, fmt.Errorf("cannot read what its payload holds: %w", err)
	}
	defer f.Close()
	found := map[string]string{}
	for _, p := range f.Progs {
		if p.Type != elf.PT_NOTE {
			continue
		}
		text, err := io.ReadAll(p.Open())
		if err != nil {
			return nil, fmt.Errorf("cannot read its notes: %w", err)
		}
		for len(text) >= 12 {
			var length [2]int
			for i := range length {
				length[i] = int(binary.LittleEndian.Uint32(text[4*i:]))
			}
			kind := binary.LittleEndian.Uint32(text[8:])
			desc := 12 + (length[0]+3)&^3
			next := desc + (length[1]+3)&^3
			if length[0] < 1 || length[1] < 0 || next > len(text) {
				break
			}
			if owner := string(text[12 : 12+length[0]-1]); owner == "Xen" && xenNotes[kind] != "" {
				value := ""
				if textual[kind] {
					value = string(bytes.TrimRight(text[desc:desc+length[1]], "\x00"))
				}
				found[xenNotes[kind]] = value
			}
			text = text[next:]
		}
	}
	return found, nil
}
