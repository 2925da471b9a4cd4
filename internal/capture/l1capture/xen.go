package main

import (
	"cmp"
	"regexp"
	"strconv"
	"strings"

	"github.com/virtmatrix/virtmatrix/internal/capture"
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

var (
	// interfaceNumber is that which each call of an interface has to bring along
	// (XEN_DOMCTL_INTERFACE_VERSION in Xen's public/domctl.h).
	interfaceNumber = regexp.MustCompile(`(?m)^#define XEN_?(\w+)_INTERFACE_VERSION\s+(0x[0-9a-f]+)`)
	// interfaceCall is a hypercall, or an operation of one. Names of flags are in capitals.
	interfaceCall = regexp.MustCompile(`(?m)^#define (?:__HYPERVISOR|XEN_(DOMCTL|SYSCTL))_([a-z]\w*)\s+(\d+)\s*(?:/\*.*)?$`)
)

var (
	// parameter is the heading of one in the document of the command line, and ofProcessor
	// what its ID has of the processors that it is for: "pku-x86", "apicv-intel".
	parameter   = regexp.MustCompile(`<h3[^>]*\bid="([^"]+)"`)
	ofProcessor = regexp.MustCompile(`(-(x86|arm|arm32|arm64|intel|amd))+$`)
)

// takeHypervisor takes how the hypervisor is built, its interfaces from the headers of its
// own source, and the parameters of its command line from its documents.
func takeHypervisor(t *taker) error {
	_, details, _ := strings.Cut(t.Parameters, `id="parameter-details"`)
	for _, m := range parameter.FindAllStringSubmatch(details, -1) {
		t.addNames(capture.Hypervisor, "command line", ofProcessor.ReplaceAllString(m[1], ""))
	}
	for _, m := range configured.FindAllStringSubmatch(t.Config, -1) {
		if !ofBuild.MatchString(m[1]) {
			t.add(capture.Hypervisor, capture.Fact{Path: "configuration/" + m[1], Value: cmp.Or(m[2], "n")})
		}
	}
	for _, m := range interfaceNumber.FindAllStringSubmatch(t.Headers, -1) {
		number, err := strconv.ParseUint(m[2], 0, 32)
		if err != nil {
			return err
		}
		t.add(capture.Hypervisor, capture.Fact{Path: "interfaces/" + strings.ToLower(m[1]), Value: strconv.FormatUint(number, 10)})
	}
	for _, m := range interfaceCall.FindAllStringSubmatch(t.Headers, -1) {
		t.add(capture.Hypervisor, capture.Fact{Path: join("calls", strings.ToLower(strings.TrimPrefix(m[1]+"_"+m[2], "_"))), Value: m[3]})
	}
	return nil
}
