package main

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/virtmatrix/virtmatrix/internal/capture"
	"github.com/virtmatrix/virtmatrix/internal/layout"
)

// addLibrary adds a library with its SONAME and what it exports, but for what its own
// project keeps to itself.
func (t *taker) addLibrary(kind, path, name string) error {
	f, err := elf.Open(path)
	if err != nil {
		return fmt.Errorf("cannot read library %s: %w", path, err)
	}
	defer f.Close()
	symbols, err := f.DynamicSymbols()
	if err != nil {
		return fmt.Errorf("cannot read symbols of %s: %w", path, err)
	}
	sonames, err := f.DynString(elf.DT_SONAME)
	if err != nil {
		return fmt.Errorf("cannot read the name of %s: %w", path, err)
	}
	t.add(kind, capture.Fact{Path: name, Value: strings.Join(sonames, " ")})
	for _, s := range symbols {
		exported := s.Section != elf.SHN_UNDEF && s.Section != elf.SHN_ABS && elf.ST_BIND(s.Info) != elf.STB_LOCAL
		private := strings.Contains(s.Version, "PRIVATE") || strings.HasPrefix(s.Name, "_") || strings.Contains(s.Name, "__")
		if exported && !private {
			// Versions that follow a release are in the name of the library, too.
			version := ofRelease.ReplaceAllString(s.Version, "")
			t.add(kind, capture.Fact{Path: name + "/" + s.Name, Value: version})
		}
	}
	return nil
}

// ofRelease is the version of symbols that Xen raises with each release.
var ofRelease = regexp.MustCompile(`^\w*_4\.\d.*`)

// libraries are the files that match a pattern, each once: one has several names.
func libraries(loader, pattern string) map[string]string {
	found := map[string]string{}
	paths, _ := filepath.Glob(filepath.Join(filepath.Dir(loader), pattern)) // ours is well-formed
	for _, path := range paths {
		name, _, _ := strings.Cut(filepath.Base(path), ".so")
		// The number of a release in a name is no part of it: libxenfsimage4.17.
		found[strings.TrimRight(name, "-.0123456789")] = path
	}
	return found
}

// lackModules notes what the emulator would have with a module that is not installed: what
// its own table says of the modules (include/qemu/module.h, QemuModinfo), since 6.1.
func (t *taker) lackModules(kinds ...string) error {
	emulator, err := t.Layout.Program(layout.Emulator)
	if err != nil {
		return err
	}
	image, err := loadImage(emulator)
	if err != nil {
		return err
	}
	lacks, modules := map[string]string{}, image.modules()
	for _, module := range slices.Sorted(maps.Keys(modules)) {
		if _, err := os.Stat(filepath.Join(t.Layout.QEMUModules, module+".so")); err == nil {
			continue
		}
		for _, o := range modules[module] {
			why := "module " + module + " is not installed"
			// What its family has in common, and what libvirt and QMP call it.
			backend := strings.TrimPrefix(o, "chardev-")
			for _, name := range []string{o, "pci-" + o, o + "-base-type", backend, backend + "-display"} {
				lacks[name] = why
			}
		}
	}
	if why := lacks["spicevmc"]; why != "" {
		lacks["spice"] = why
	}
	for _, kind := range kinds {
		t.absent[kind] = maps.Clone(lacks)
	}
	return t.lackXen(emulator, kinds...)
}

// image is a program as it lies in memory, with the pointers in its data.
type image struct {
	file     *elf.File
	pointers map[uint64]uint64
}

func loadImage(path string) (*image, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read emulator: %w", err)
	}
	f, err := elf.NewFile(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("cannot read emulator %s: %w", path, err)
	}
	i := &image{f, map[uint64]uint64{}}
	if rela := f.Section(".rela.dyn"); rela != nil {
		data, err := rela.Data()
		if err != nil {
			return nil, fmt.Errorf("cannot read emulator %s: %w", path, err)
		}
		// Elf64_Rela: where, kind, and what is added to the base.
		for ; len(data) >= 24; data = data[24:] {
			if elf.R_X86_64(binary.LittleEndian.Uint32(data[8:])) == elf.R_X86_64_RELATIVE {
				i.pointers[binary.LittleEndian.Uint64(data)] = binary.LittleEndian.Uint64(data[16:])
			}
		}
	}
	return i, nil
}

// text is the string at an address; empty when there is none.
func (i *image) text(at uint64) string {
	for _, s := range i.file.Sections {
		if s.Type == elf.SHT_PROGBITS && s.Flags&elf.SHF_ALLOC != 0 && at >= s.Addr && at < s.Addr+s.Size {
			b := make([]byte, min(4096, s.Addr+s.Size-at))
			if _, err := s.ReadAt(b, int64(at-s.Addr)); err != nil {
				return ""
			}
			text, _, _ := bytes.Cut(b, []byte{0})
			return string(text)
		}
	}
	return ""
}

// texts are the strings of an array of pointers that ends with none.
func (i *image) texts(at uint64) (all []string) {
	for ; i.pointers[at] != 0; at += 8 {
		all = append(all, i.text(i.pointers[at]))
	}
	return all
}

// moduleKinds begin the names of modules: the folders of their sources.
var moduleKinds = []string{"audio-", "chardev-", "hw-", "ui-"}

// modules are the objects in each module: an entry of the table has its name, its
// architecture, and an array of the objects.
func (i *image) modules() map[string][]string {
	found := map[string][]string{}
	for at, to := range i.pointers {
		objects := i.pointers[at+16]
		if objects == 0 || i.pointers[objects] == 0 {
			continue
		}
		name := i.text(to)
		if slices.ContainsFunc(moduleKinds, func(k string) bool { return strings.HasPrefix(name, k) }) {
			found[name] = append(found[name], i.texts(objects)...)
		}
	}
	return found
}
