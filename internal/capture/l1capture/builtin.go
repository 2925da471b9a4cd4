package main

import (
	"regexp"
	"slices"
	"strings"
)

// creatable is a device that a user may ask for, as -device help lists it.
var creatable = regexp.MustCompile(`(?m)^name "([^"]+)"`)

// markBuiltIn marks the devices that only machines make: nobody misses one of them by
// its name.
func (t *taker) markBuiltIn(emulator string) error {
	help, err := output(emulator, "-device", "help")
	var names []string
	for _, m := range creatable.FindAllStringSubmatch(help, -1) {
		names = append(names, m[1])
	}
	t.creatable = names
	for i, f := range t.facts["devices"] {
		if !strings.Contains(f.Path, "/") && !slices.Contains(names, f.Path) {
			t.facts["devices"][i].Optional = true
		}
	}
	return err
}

// ofXen are names of what an emulator has that is built for Xen.
var ofXen = []string{"xen*", "=xen*", "igd-passthrough-*", "piix3-ide-xen", "PIIX3-xen", "pc-i440fx-*-xen*"}

// lackXen notes what is missing in an emulator that is not built for Xen: distributions
// have another one for that.
func (t *taker) lackXen(emulator string, kinds ...string) error {
	help, err := output(emulator, "-accel", "help")
	if err != nil || regexp.MustCompile(`(?m)^xen$`).MatchString(help) {
		return err
	}
	for _, kind := range kinds {
		for _, name := range ofXen {
			t.absent[kind][name] = "this emulator is not built for Xen"
		}
	}
	return nil
}
