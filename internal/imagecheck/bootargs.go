package imagecheck

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// bootEntry is one entry of a boot loader's menu.
type bootEntry struct {
	file string
	line int
	args []string
}

// String names it.
func (e bootEntry) String() string { return fmt.Sprintf("%q, line %d,", "/"+e.file, e.line) }

// starters are the commands of GRUB and GRUB Legacy that load a kernel.
var starters = []string{"linux", "linux16", "linuxefi", "kernel"}

// bootEntries are those of all boot loaders, in /boot and on partitions by themselves.
func (img *image) bootEntries() (entries []bootEntry, err error) {
	in := func(t *tree, folder string) {
		variables, problem := grubVariables(t, folder)
		err = errors.Join(err, problem)
		for _, kind := range []struct {
			folder   string
			patterns []string
			starts   []string
		}{
			{"/loader/entries", []string{"*.conf"}, []string{"options"}},
			{"/grub", []string{"grub.cfg", "grub.conf", "menu.lst"}, starters},
			{"/grub2", []string{"grub.cfg"}, starters},
		} {
			files, problem := t.match(folder+kind.folder, kind.patterns...)
			err = errors.Join(err, problem)
			for _, name := range files {
				found, problem := entriesOf(t, strings.TrimPrefix(name, "/"), kind.starts, variables)
				entries, err = append(entries, found...), errors.Join(err, problem)
			}
		}
	}
	in(img.root, "boot")
	for _, t := range img.boots {
		in(t, "")
	}
	return entries, err
}

func entriesOf(t *tree, name string, starts []string, variables map[string]string) (entries []bootEntry, err error) {
	text, err := t.read(name)
	if absent(err) {
		return nil, nil // a link that leads nowhere, as from menu.lst
	}
	n := 0
	for line := range strings.Lines(text) {
		n++
		if f := strings.Fields(line); len(f) > 0 && slices.Contains(starts, f[0]) {
			var args []string
			for _, arg := range f[1:] {
				if v, ok := strings.CutPrefix(arg, "$"); ok {
					args = append(args, strings.Fields(variables[strings.Trim(v, "{}")])...)
				} else {
					args = append(args, arg)
				}
			}
			entries = append(entries, bootEntry{name, n, args})
		}
	}
	return entries, err
}

// grubVariables are those that entries refer to, as $kernelopts: GRUB takes them from its
// environment, and grub.cfg sets them where that has none.
func grubVariables(t *tree, folder string) (map[string]string, error) {
	variables := map[string]string{}
	for _, name := range []string{"/grub2/grub.cfg", "/grub2/grubenv", "/grub/grubenv"} {
		text, err := t.read(strings.TrimPrefix(folder+name, "/"))
		if absent(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(text) {
			line = strings.TrimPrefix(strings.TrimSpace(line), "set ")
			if key, value, ok := strings.Cut(line, "="); ok {
				variables[key] = strings.Trim(value, `"`)
			}
		}
	}
	return variables, nil
}
