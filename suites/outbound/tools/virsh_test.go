package tools

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The start of what virsh 9.0 prints for `help`.
const helpText = `Grouped commands:

 Domain Management (help keyword 'domain'):
    attach-device                  attach device from an XML file
    set-lifecycle-action           change lifecycle actions

 Virsh itself (help keyword 'virsh'):
    cd                             change the current directory
`

func TestHelpLinesAreCommandsAndNotGroups(t *testing.T) {
	var got [][]string
	for _, m := range helpLine.FindAllStringSubmatch(helpText, -1) {
		got = append(got, m[1:])
	}
	want := [][]string{
		{"attach-device", "attach device from an XML file"},
		{"set-lifecycle-action", "change lifecycle actions"},
		{"cd", "change the current directory"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Two pages as one virsh prints them, with the leading space trimmed.
const helpPages = `NAME
    cd - change the current directory

  SYNOPSIS
    cd [<dir>]

  DESCRIPTION
    Will change current directory for the client if interactive.


  NAME
    list - list domains

  SYNOPSIS
    list [--inactive]
`

func TestHelpPagesSayNameAndSynopsis(t *testing.T) {
	var got [][]string
	for _, m := range helpPage.FindAllStringSubmatch(helpPages, -1) {
		got = append(got, m[1:])
	}
	want := [][]string{{"cd", "change the current directory", "cd"}, {"list", "list domains", "list"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
