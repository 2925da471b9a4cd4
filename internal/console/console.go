// Package console watches what kernels and hypervisors print: it reads a
// growing log, finds the lines that mean trouble, and tells whether the guest
// is still making progress.
//
// What a guest prints is hostile: lines have a greatest length, and nothing that
// is read here is ever used as a path or a format.
package console

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"regexp"
	"strings"
)

// MaxLine is the longest line in bytes; a longer one is taken for several.
const MaxLine = 2 << 10

// maxFindings bounds what Scan returns: a guest may complain without end.
const maxFindings = 1000

// Finding is one troubling line.
type Finding struct {
	// Pattern is the name of the trouble, in words for a report.
	Pattern  string
	Line     string
	Severity Severity
}

// String returns the finding as "pattern: line".
func (f Finding) String() string { return f.Pattern + ": " + f.Line }

// unsaid says that the next line tells why: that of a panic of Xen
// (xen/drivers/char/console.c, panic).
func (f Finding) unsaid() bool { return f.Pattern == xenPanic && strings.HasSuffix(f.Line, ":") }

// Scan returns the troubling lines of a text that no allowance covers, at most
// 1000 of them. A splat is reported, or allowed, by its first line: the stack
// trace below it is part of it.
func Scan(text []byte, allowed []Allowance) []Finding {
	var out []Finding
	number, last := 0, -splatLines
	for line := range bytes.Lines(text) {
		number++
		if n := len(out); n > 0 && number == last+1 && out[n-1].unsaid() {
			if why, said := strings.CutPrefix(clean(line), "(XEN) "); said && why != "" {
				out[n-1].Line += " " + why
			}
		}
		if n := len(out); n > 0 && number-last <= stateLines && out[n-1].Pattern == TripleFault && hostState.MatchString(clean(line)) {
			out[n-1].Pattern = HostState
		}
		for piece := range pieces(line) {
			f, bad := inspect(clean(piece))
			if !bad {
				continue
			}
			inSplat := f.Pattern == traceName && number-last < splatLines
			last = number
			if inSplat || covers(allowed, f.Line) {
				continue
			}
			if out = append(out, f); len(out) == maxFindings {
				return out
			}
		}
	}
	return out
}

// overlap is how much of a piece of a line the next one repeats: no words that
// mean trouble are cut in two.
const overlap = 128

// pieces cuts a line into pieces of at most MaxLine bytes.
func pieces(line []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for len(line) > MaxLine {
			if !yield(line[:MaxLine]) {
				return
			}
			line = line[MaxLine-overlap:]
		}
		yield(line)
	}
}

// clean takes off what surrounds the words of a line: line ends, of which some
// consoles put the carriage return first, and control sequences.
func clean(line []byte) string {
	if bytes.IndexByte(line, 0x1b) >= 0 {
		line = escapes.ReplaceAll(line, nil)
	}
	return strings.TrimPrefix(strings.Trim(string(line), "\r\n\x00"), dom0)
}

// inspect finds out whether a line means trouble.
func inspect(line string) (Finding, bool) {
	for _, p := range patterns {
		if p.matches(line) && !otherDomain.MatchString(line) {
			return Finding{Pattern: p.name, Line: line, Severity: p.severity}, true
		}
	}
	return Finding{}, false
}

func covers(allowed []Allowance, line string) bool {
	for _, a := range allowed {
		if a.expr.MatchString(line) {
			return true
		}
	}
	return false
}

// Allowance is a troubling line that is known to be harmless, and why.
type Allowance struct {
	Match  string `yaml:"match"`
	Reason string `yaml:"reason"`
	expr   *regexp.Regexp
}

// Compile prepares an allowance. One without a reason is refused: nobody could
// tell later whether it may go.
func (a *Allowance) Compile() error {
	if strings.TrimSpace(a.Reason) == "" {
		return fmt.Errorf("cannot allow console line %q: it has no reason", a.Match)
	}
	re, err := regexp.Compile(a.Match)
	if err != nil {
		return fmt.Errorf("cannot allow console line: %w", err)
	}
	if re.MatchString("") {
		return fmt.Errorf("cannot allow console line %q: it matches every line", a.Match)
	}
	a.expr = re
	return nil
}

// Log is a console that an emulator writes to a file.
type Log struct{ Path string }

// Size returns how many bytes the console has printed. It grows while the
// guest makes progress.
func (l Log) Size() int64 {
	st, err := os.Stat(l.Path)
	if err != nil {
		return 0
	}
	return st.Size()
}

// MaxBytes is what a guest may print before it counts as dead, and what is read
// of a console: one that complains without end would fill L0's memory and disk.
const MaxBytes = 16 << 20

// Since returns what was printed from an offset on, at most MaxBytes of it.
func (l Log) Since(offset int64) ([]byte, error) { return l.read(offset, MaxBytes) }

// Last returns at most the last n bytes of what was printed.
func (l Log) Last(n int64) ([]byte, error) { return l.read(max(0, l.Size()-n), n) }

// Tail returns the last n lines of what was printed, each cut to MaxLine. A log that
// cannot be read has none.
func (l Log) Tail(n int) string {
	text, _ := l.Last(int64(n) * MaxLine)
	return Tail(text, n)
}

func (l Log) read(offset, most int64) ([]byte, error) {
	f, err := os.Open(l.Path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read console: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.NewSectionReader(f, offset, most))
	if err != nil {
		return nil, fmt.Errorf("cannot read console: %w", err)
	}
	return b, nil
}

// Tail returns the last n lines of a text, each cut to MaxLine.
func Tail(text []byte, n int) string {
	lines := strings.Split(strings.TrimRight(string(text), "\r\n"), "\n")
	if len(lines) > n {
		lines = lines[len(lines)-n:]
	}
	for i, l := range lines {
		if len(l) > MaxLine {
			l = l[:MaxLine]
		}
		lines[i] = strings.TrimRight(l, "\r")
	}
	return strings.Join(lines, "\n")
}
