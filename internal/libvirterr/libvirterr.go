// Package libvirterr reads the errors of libvirt's client library: what they are
// called, and whether the library itself gave them for want of a function.
package libvirterr

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"libvirt.org/go/libvirt"
)

// ClientVersion is the version of the client library on L0, as in 9.0.0.
func ClientVersion() (string, error) {
	v, err := libvirt.GetVersion()
	if err != nil {
		return "", fmt.Errorf("cannot ask libvirt's client library for its version: %s", Text(err))
	}
	return fmt.Sprintf("%d.%d.%d", v/1_000_000, v/1_000%1_000, v%1_000), nil
}

// missing are the texts of the binding for what it does not find: the dynamic
// linker's, its own from the second time on, and that of a binding that was linked
// when it was built (libvirt_generated_dlopen.go and _functions_static_*.go of
// libvirt.org/go/libvirt).
var missing = []*regexp.Regexp{
	regexp.MustCompile(`: undefined symbol: (vir\w+)`),
	regexp.MustCompile(`^Failed to load (vir\w+)$`),
	regexp.MustCompile(`^Function (vir\w+) not available prior to libvirt version`),
	regexp.MustCompile(`^(libvirt[\w.-]*\.so\.0): cannot open shared object file`),
	regexp.MustCompile(`^Failed to open (libvirt[\w.-]*\.so\.0)$`),
}

// MissingSymbol says that a call never left L0, because its client library lacks the
// function, or is not there at all: then the name is the library's. It says nothing
// about the daemon.
func MissingSymbol(err error) (name string, ok bool) {
	var e libvirt.Error
	if !errors.As(err, &e) || e.Code != libvirt.ERR_INTERNAL_ERROR || e.Domain != libvirt.FROM_NONE {
		return "", false
	}
	for _, text := range missing {
		if found := text.FindStringSubmatch(e.Message); found != nil {
			return found[1], true
		}
	}
	return "", false
}

// Text is an error for people: libvirt's are told by message and the name of their
// code, in place of the binding's virError(Code=1, Domain=10, Message='...').
func Text(err error) string {
	if err == nil {
		return ""
	}
	text := err.Error()
	for _, e := range within(err) {
		text = strings.ReplaceAll(text, e.Error(), describe(e))
	}
	return text
}

// within are libvirt's errors in the tree of an error.
func within(err error) (found []libvirt.Error) {
	switch e := err.(type) {
	case libvirt.Error:
		return []libvirt.Error{e}
	case interface{ Unwrap() error }:
		return within(e.Unwrap())
	case interface{ Unwrap() []error }:
		for _, joined := range e.Unwrap() {
			found = append(found, within(joined)...)
		}
	}
	return found
}

func describe(e libvirt.Error) string {
	// What a program that libvirt ran has said ends with its line.
	return fmt.Sprintf("%s [%s (%d), %s]", strings.TrimSpace(e.Message), Code(e.Code), e.Code, Domain(e.Domain))
}

// Code is the name of an error number, as in ERR_OPERATION_INVALID.
func Code(n libvirt.ErrorNumber) string { return name(codes, int(n), "ERR_UNKNOWN") }

// Domain is the name of the part of libvirt that an error is from, as in FROM_QEMU.
func Domain(n libvirt.ErrorDomain) string { return name(domains, int(n), "FROM_UNKNOWN") }

func name(names []string, n int, unknown string) string {
	if n < 0 || n >= len(names) {
		return unknown
	}
	return names[n]
}
