package main

import (
	"regexp"
	"strings"

	"github.com/virtmatrix/virtmatrix/internal/layout"
)

// takeXen takes what the toolstack offers: libraries, commands and files.
func takeXen(t *taker) error {
	for _, pattern := range []string{"libxen*.so.*", "libxl*.so.*"} {
		for name, path := range libraries(t.Layout.Loader, pattern) {
			if err := t.addLibrary("xenlibs", path, name); err != nil {
				return err
			}
		}
	}
	image, err := loadImage(t.Layout.Toolstack + "/" + layout.XL)
	if err != nil {
		return err
	}
	t.addNames("xl", "", "xl")
	for command, help := range image.commands() {
		t.addNames("xl", "xl", command)
		for _, m := range xlOption.FindAllStringSubmatch(help, -1) {
			t.addNames("xl", "xl/"+command, m[1])
		}
	}
	return t.takeFiles("xenfiles", regexp.MustCompile(`(?i)/(lib)?xen|/xl`))
}

var (
	xlOption  = regexp.MustCompile(`(?m)(?:^|[\s,|\[])(--?[a-zA-Z][a-zA-Z0-9_-]*)`)
	xlCommand = regexp.MustCompile(`^[a-z][a-z0-9-]+$`)
)

// commands are the commands of xl with what it says of their options. It says so only
// on a host that runs Xen, so they are read from its table (tools/xl/xl_cmdtable.c,
// struct cmd_spec: name, function, two flags, description, usage, options).
func (i *image) commands() map[string]string {
	found := map[string]string{}
	for at, to := range i.pointers {
		// The flags are no pointers, and a description has more than a word.
		if i.pointers[at+16] != 0 || !strings.Contains(i.text(i.pointers[at+24]), " ") {
			continue
		}
		name := i.text(to)
		if !xlCommand.MatchString(name) {
			continue
		}
		found[name] = strings.Join([]string{i.text(i.pointers[at+32]), i.text(i.pointers[at+40])}, "\n")
	}
	return found
}
