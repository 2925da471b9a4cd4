// Package console watches what kernels and hypervisors print: it reads a
// growing log, finds the lines that mean trouble, and tells whether the guest
// is still making progress.
//
// What a guest prints is hostile: lines are cut to a length and nothing that
// is read here is ever used as a path or a format.
package console

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
)

// MaxLine is the longest line in bytes that is kept; the rest of it is cut.
const MaxLine = 2 << 10

// Severity says what a troubling line means for the guest.
type Severity int

const (
	// Complaint: the guest goes on, but something is wrong in it.
	Complaint Severity = iota
	// Fatal: the guest is dead or as good as dead.
	Fatal
)

// Pattern is a line that means trouble.
type Pattern struct {
	// Name of the trouble, in words for a report.
	Name     string
	Severity Severity
	expr     *regexp.Regexp
}

// patterns is what is looked for in every console and dmesg, of kernels
// (kernel/panic.c, lib/bug.c, kernel/watchdog.c, kernel/hung_task.c,
// kernel/locking/lockdep.c, arch/x86/kernel/dumpstack.c) and of Xen
// (xen/common/bug.c, xen/arch/x86/traps.c).
var patterns = []Pattern{
	{"kernel panic", Fatal, regexp.MustCompile(`Kernel panic - not syncing`)},
	{"Xen panic", Fatal, regexp.MustCompile(`^\(XEN\) Panic on CPU`)},
	{"double fault", Fatal, regexp.MustCompile(`(?i)\bdouble fault\b`)},
	{"kernel oops", Complaint, regexp.MustCompile(`\bOops(:| - )|general protection fault`)},
	{"kernel BUG", Complaint, regexp.MustCompile(`\bBUG: |kernel BUG at `)},
	{"kernel warning", Complaint, regexp.MustCompile(`\bWARNING: (CPU|possible|suspicious|at )`)},
	{"lockup", Complaint, regexp.MustCompile(`soft lockup|hard LOCKUP|rcu.*(detected stall|self-detected stall)`)},
	{"hung task", Complaint, regexp.MustCompile(`task .{1,80} blocked for more than \d+ seconds`)},
	{"lock trouble", Complaint, regexp.MustCompile(`possible (circular|recursive|irq) lock|inconsistent lock state|suspicious RCU usage|bad unlock balance|held lock freed|lock held when returning`)},
	{"call trace", Complaint, regexp.MustCompile(`Call Trace:`)},
	{"Xen warning", Complaint, regexp.MustCompile(`Xen WARN at|Xen BUG at|Assertion '.*' failed`)},
	{"agent gave up", Fatal, regexp.MustCompile(`^virtmatrix-agent: cannot `)},
}

// Finding is one troubling line.
type Finding struct {
	Pattern string `json:"pattern"`
	Line    string `json:"line"`
	Fatal   bool   `json:"fatal"`
}

// String returns the finding as "pattern: line".
func (f Finding) String() string { return f.Pattern + ": " + f.Line }

// Scan returns the troubling lines of a text that no allowance covers.
func Scan(text []byte, allowed []Allowance) []Finding {
	var out []Finding
	for line := range bytes.Lines(text) {
		if len(line) > MaxLine {
			line = line[:MaxLine]
		}
		if f, bad := inspect(strings.TrimRight(string(line), "\r\n"), allowed); bad {
			out = append(out, f)
		}
	}
	return out
}

func inspect(line string, allowed []Allowance) (Finding, bool) {
	for _, p := range patterns {
		if !p.expr.MatchString(line) {
			continue
		}
		for _, a := range allowed {
			if a.expr.MatchString(line) {
				return Finding{}, false
			}
		}
		return Finding{Pattern: p.Name, Line: line, Fatal: p.Severity == Fatal}, true
	}
	return Finding{}, false
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

// maxSince bounds what Since returns, in bytes: a guest may print without end.
const maxSince = 16 << 20

// Since returns what was printed from an offset on, at most 16 MiB of it.
func (l Log) Since(offset int64) ([]byte, error) {
	f, err := os.Open(l.Path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read console: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.NewSectionReader(f, offset, maxSince))
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
