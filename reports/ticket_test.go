package reports

import (
	"slices"
	"strings"
	"testing"
)

func TestTheLinesThatTellAreThoseOfTheFailureAndOfTrouble(t *testing.T) {
	e := &evidence{Files: []evidenceFile{
		{Name: "daemons.log", Text: "libvirtd starts\nerror : virHostCPUGetCPUID:1467 : Unable to open /dev/kvm: No such file or directory\nerror: internal error: fd migration to a file is not supported\nall is well\n" + strings.Repeat("warning: chatter\n", 30)},
		{Name: "l2-command-line.log", Text: "error: not a log\n"},
		{Name: "domain.xml", Text: "<error/>"},
		{Name: "l2-console.log", Text: "[  1.0] tick 7\n[  2.0] Kernel panic - not syncing\n"},
	}}
	got := e.telling("cannot start domain: internal error: fd migration to a file is not supported")
	want := []string{
		"daemons.log: error: internal error: fd migration to a file is not supported",
		"l2-console.log: [  2.0] Kernel panic - not syncing",
	}
	if !slices.Equal(got, want) {
		t.Errorf("the lines are %q", got)
	}
	e.Files[0].Text = ""
	for i := range 2 * tellingLines {
		e.Files[0].Text += "cannot do it " + strings.Repeat("again ", i) + "\n" + "cannot do it 7\n"
	}
	if got = e.telling("x"); len(got) != tellingLines {
		t.Errorf("%d lines, want %d", len(got), tellingLines)
	}
	if none := (*evidence)(nil).telling("x"); none != nil {
		t.Errorf("no evidence says %q", none)
	}
}
