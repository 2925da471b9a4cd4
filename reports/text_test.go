package reports

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestVisible(t *testing.T) {
	tests := []struct{ in, want string }{
		{"plain, ünïcode, 日本", "plain, ünïcode, 日本"},
		{"a\tb\nc", "a\tb\nc"},
		{"serial\r\nline\r\n", "serial\nline\n"},
		{"over\rwritten", `over\x0dwritten`},
		{"\x1b[31m", `\x1b[31m`},
		{"\x00\x07\x7f", `\x00\x07\x7f`},
		{"\xff\xc3(", `\xff\xc3(`},
		{"\ufffd", "\ufffd"},
		{"\u009b\u202e\u200b\u2028", `\u009b\u202e\u200b\u2028`},
		{strings.Repeat("x", 102), strings.Repeat("x", 100) + " … (2 more bytes)"},
	}
	for _, test := range tests {
		if got := visible(test.in, 100); got != test.want {
			t.Errorf("%q: got %q, want %q", test.in, got, test.want)
		}
	}
	if got := oneline("a\n\tb", 100); got != `a\n\tb` {
		t.Errorf("oneline: %q", got)
	}
}

func TestClipKeepsRunesWhole(t *testing.T) {
	for limit := range 10 {
		kept, _, _ := strings.Cut(clip("日本日本", limit), " …")
		if !utf8.ValidString(kept) || len(kept) > limit {
			t.Errorf("limit %d: %q", limit, kept)
		}
	}
	if got := clip(strings.Repeat("\x80", 100), 10); !strings.HasSuffix(got, "more bytes)") {
		t.Errorf("text that is not UTF-8: %q", got)
	}
}

func TestWrap(t *testing.T) {
	tests := []struct {
		in   string
		want []string
	}{
		{"", []string{""}},
		{"one two three", []string{"one two", "three"}},
		{"unbreakableword", []string{"unbreaka", "bleword"}},
		{"a\nb", []string{"a", "b"}},
	}
	for _, test := range tests {
		if got := wrap(test.in, 8); strings.Join(got, "|") != strings.Join(test.want, "|") {
			t.Errorf("%q: got %q, want %q", test.in, got, test.want)
		}
	}
}

func TestDuration(t *testing.T) {
	for seconds, want := range map[float64]string{0: "0.0 s", 0.42: "0.4 s", 52: "52 s", 492: "8 min 12 s", 3720: "1 h 2 min"} {
		if got := duration(seconds); got != want {
			t.Errorf("%v: got %q, want %q", seconds, got, want)
		}
	}
}
