package main

import (
	"regexp"
	"strings"

	"github.com/virtmatrix/virtmatrix/internal/layout"
)

var (
	imgCommand = regexp.MustCompile(`(?m)^ {1,4}([a-z]+)(?: \[| -|  )`)
	imgOption  = regexp.MustCompile(`(?m)^ {2}([a-z0-9_.-]+)=`)
)

// created are the formats that images are created in, with options of their own.
var created = []string{"raw", "qcow2", "qed", "vmdk", "vdi", "vhdx", "vpc", "luks", "parallels"}

// takeFormats takes what qemu-img knows.
func takeFormats(t *taker, _ *session) error {
	img, err := t.Layout.Program(layout.QEMUImg)
	if err != nil {
		return err
	}
	help, err := output(img, "--help")
	if err != nil {
		return err
	}
	// "Supported formats:", and "Supported image formats:" since 9.1.
	_, formats, _ := strings.Cut(help, "ormats:")
	formats, _, _ = strings.Cut(strings.TrimSpace(formats), "\n\n")
	t.addNames("formats", "", "formats", "commands", "options")
	t.addNames("formats", "formats", strings.Fields(formats)...)
	for _, m := range imgCommand.FindAllStringSubmatch(help, -1) {
		t.addNames("formats", "commands", m[1])
	}
	for _, format := range created {
		// One that this build cannot create is among the formats or not.
		text, _ := output(img, "create", "-f", format, "-o", "help", "x")
		for _, m := range imgOption.FindAllStringSubmatch(text, -1) {
			t.addNames("formats", "options/"+format, m[1])
		}
	}
	return nil
}
