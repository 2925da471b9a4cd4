package reports

import (
	"bytes"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Limits of a text in bytes, by where it is shown.
const (
	// storedText is what Judge keeps of one reason.
	storedText = 64 << 10
	// storedLine and storedLines are what it keeps of what L2 said.
	storedLine  = 4 << 10
	storedLines = 200
	// shownText is what a report to be read from top to bottom shows.
	shownText = 4 << 10
)

// clip cuts a text to a limit in bytes and says how much is gone.
func clip(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	cut := limit
	for cut > 0 && cut > limit-utf8.UTFMax && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return fmt.Sprintf("%s … (%d more bytes)", s[:cut], len(s)-cut)
}

// clipLines cuts what a guest said: each line, and the number of them.
func clipLines(lines []string) []string {
	kept := make([]string, 0, min(len(lines), storedLines+1))
	for _, l := range lines[:min(len(lines), storedLines)] {
		kept = append(kept, clip(l, storedLine))
	}
	if more := len(lines) - storedLines; more > 0 {
		kept = append(kept, fmt.Sprintf("… (%d more lines)", more))
	}
	return kept
}

// printable says whether a rune shows itself and changes nothing around it:
// no control characters, no direction overrides, no invisible ones.
func printable(r rune) bool { return unicode.IsPrint(r) }

// visible returns a text that is safe to show: at most limit bytes of it, with
// control characters and bytes that are not UTF-8 as \x escapes and other
// invisible runes as \u escapes. Newlines and tabs stay.
func visible(s string, limit int) string {
	s = strings.ReplaceAll(clip(s, limit), "\r\n", "\n")
	var b strings.Builder
	b.Grow(len(s))
	for i, r := range s {
		switch {
		case r == '\n' || r == '\t':
			b.WriteRune(r)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], string(utf8.RuneError)):
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case !printable(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// breaks are what does not belong into one line.
var breaks = strings.NewReplacer("\n", `\n`, "\t", `\t`)

// oneline is visible for a place that holds one line.
func oneline(s string, limit int) string {
	return breaks.Replace(visible(s, limit))
}

// jsonEscape writes a rune as the escape that JSON has for it.
func jsonEscape(b *bytes.Buffer, r rune) {
	if r <= 0xffff {
		fmt.Fprintf(b, `\u%04x`, r)
		return
	}
	high, low := utf16.EncodeRune(r)
	fmt.Fprintf(b, `\u%04x\u%04x`, high, low)
}

// wrap breaks a text into lines of at most width runes, at spaces where it can.
func wrap(s string, width int) []string {
	var lines []string
	for line := range strings.SplitSeq(strings.ReplaceAll(s, "\t", "    "), "\n") {
		rest := []rune(line)
		for len(rest) > width {
			cut := width
			for i := width; i > width/2; i-- {
				if rest[i] == ' ' {
					cut = i
					break
				}
			}
			lines = append(lines, string(rest[:cut]))
			rest = []rune(strings.TrimPrefix(string(rest[cut:]), " "))
		}
		lines = append(lines, string(rest))
	}
	return lines
}

// pad fills a text with spaces up to a width in runes, and cuts what is longer.
func pad(s string, width int) string {
	n := utf8.RuneCountInString(s)
	if n > width {
		return string([]rune(s)[:width-1]) + "…"
	}
	return s + strings.Repeat(" ", width-n)
}

// duration writes seconds as people say them: 0.4 s, 52 s, 8 min 12 s.
func duration(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	switch {
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < 2*time.Minute:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
}

// some writes the first few of a list and how many more there are.
func some(list []string, n int) string {
	if len(list) <= n+1 {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:n], ", "), len(list)-n)
}

// number writes a count with its noun: "1 check", "3 checks".
func number(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}
