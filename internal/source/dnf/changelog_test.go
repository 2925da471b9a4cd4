package dnf

import (
	"slices"
	"strings"
	"testing"
)

func TestChangelogEntriesEndAtTheVersionBefore(t *testing.T) {
	text := strings.Join([]string{
		"Tue Mar 05 2019 A Name <a@name> - 10:2.12.0-18\n- three", "Mon Mar 04 2019 A Name <a@name>\n- no version",
		"Fri Mar 01 2019 A Name <a@name> - 2.10.0-21.el7_5.7\n- two", "Wed Jan 02 2019 A Name <a@name> 2.10.0-20\n- one", "",
	}, entryEnd)
	for since, want := range map[string][]string{
		"10:2.10.0-21.el7_5.7.1": {"- three", "- no version"},
		"10:2.10.0-20.el7":       {"- three", "- no version", "- two"},
		"10:2.12.0-18.el7":       nil,
		"9:1-1":                  {"- three", "- no version", "- two", "- one"},
	} {
		var got []string
		for _, e := range entries(text, since) {
			_, said, _ := strings.Cut(e, "\n")
			got = append(got, said)
		}
		if !slices.Equal(got, want) {
			t.Errorf("since %s: %q, want %q", since, got, want)
		}
	}
	if got := entries("(none) (none)\n(none)"+entryEnd, "1-1"); got != nil {
		t.Errorf("of no changelog: %q", got)
	}
}
