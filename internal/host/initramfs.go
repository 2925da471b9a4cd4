package host

import (
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"github.com/cavaliergopher/cpio"
)

// initramfs writes an uncompressed newc archive, which every kernel unpacks
// (Documentation/driver-api/early-userspace/buffer-format.rst). Uncompressed,
// because decompression would run under emulation.
type initramfs struct {
	w    *cpio.Writer
	dirs map[string]bool
	err  error
}

func newInitramfs(w io.Writer) *initramfs {
	return &initramfs{w: cpio.NewWriter(w), dirs: map[string]bool{"/": true}}
}

// add writes a file with the given content. Errors stay until close.
func (a *initramfs) add(name string, mode os.FileMode, content []byte) {
	a.parents(name)
	a.entry(name, cpio.TypeReg|cpio.FileMode(mode.Perm()), content)
}

// addFile writes a copy of a file of L0.
func (a *initramfs) addFile(name string, mode os.FileMode, source string) {
	if a.err != nil {
		return
	}
	b, err := os.ReadFile(source)
	if err != nil {
		a.err = err
		return
	}
	a.add(name, mode, b)
}

// link writes a symbolic link.
func (a *initramfs) link(name, target string) {
	a.parents(name)
	a.entry(name, cpio.TypeSymlink|0o777, []byte(target))
}

// parents writes the folders above a name that are not in the archive yet.
func (a *initramfs) parents(name string) {
	dir := path.Dir(name)
	if a.dirs[dir] {
		return
	}
	a.parents(dir)
	a.dirs[dir] = true
	a.entry(dir, cpio.TypeDir|0o755, nil)
}

func (a *initramfs) entry(name string, mode cpio.FileMode, content []byte) {
	if a.err != nil {
		return
	}
	h := &cpio.Header{Name: strings.TrimPrefix(name, "/"), Mode: mode, Size: int64(len(content)), Links: 1}
	if a.err = a.w.WriteHeader(h); a.err == nil && len(content) > 0 {
		_, a.err = a.w.Write(content)
	}
}

func (a *initramfs) close() error {
	if a.err == nil {
		a.err = a.w.Close()
	}
	if a.err != nil {
		return fmt.Errorf("cannot write initramfs: %w", a.err)
	}
	return nil
}
