package main

import (
	"errors"
	"slices"
)

// takeHooks takes the hooks and the operations that they are called for, which libvirt
// names in the lists of its src/util/virhook.c. They lie side by side in the library,
// that of the hooks (daemon, qemu, lxc, network and more) above all others, because
// compilers put what is written last first. Each list of a hook's operations begins with
// "start".
func takeHooks(t *taker) error {
	library := libraries(t.Layout.Loader, "libvirt.so.0")["libvirt"]
	if library == "" {
		return errors.New("cannot take hooks: there is no libvirt.so.0")
	}
	image, err := loadImage(library)
	if err != nil {
		return err
	}
	hooks := image.hooks()
	if len(hooks) == 0 {
		return errors.New("cannot take hooks: their lists in libvirt.so.0 are not where they were in 7.0 to 12.8")
	}
	for hook, operations := range hooks {
		t.addNames("hooks", "", hook)
		t.addNames("hooks", hook, operations...)
	}
	return nil
}

// hooks finds the hooks with their operations.
func (i *image) hooks() map[string][]string {
	found := map[string][]string{}
	for at, to := range i.pointers {
		if i.text(to) != "daemon" || i.text(i.pointers[at+8]) != "qemu" {
			continue
		}
		// What follows the names of the hooks is not apart from them.
		for n, operations := range i.listsBelow(at) {
			found[i.text(i.pointers[at+8*uint64(n)])] = operations
		}
	}
	return found
}

// listsBelow are the lists of operations below an address, the nearest first.
func (i *image) listsBelow(at uint64) (lists [][]string) {
	var list []string
	const alignment = 32 // of long arrays: what is further away belongs to something else
	for gap := uint64(8); gap <= alignment; gap += 8 {
		switch text := i.text(i.pointers[at-gap]); {
		case text == "":
			continue
		case text == "-": // the end of the list of sub-operations: -, begin, end
			list = nil
		default:
			list = append(list, text)
			if text == "start" {
				slices.Reverse(list)
				lists, list = append(lists, list), nil
			}
		}
		at, gap = at-gap, 0
	}
	return lists
}
