package reports

import (
	"bytes"
	"cmp"
	"fmt"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// tellingLines is how many lines of evidence a ticket shows.
const tellingLines = 10

// Ticket tells an answer as Markdown for a bug tracker. asserts is what the check says of
// itself, evidence the run's folder.
func Ticket(m *Matrix, evidence fs.FS, cell, check, asserts string) string {
	c, r := m.Cell(cell), m.Result(cell, check)
	if c == nil || r == nil {
		return Explain(m, evidence, cell, check)
	}
	own := m.own(r)
	var b bytes.Buffer
	fmt.Fprintf(&b, "### %s: %s on %s\n\n", mdText(oneline(r.Check, 200)), mdText(r.shown()), mdCode(oneline(cell, 200)))
	fmt.Fprintf(&b, "What must hold: %s.\n\n", mdText(oneline(asserts, 400)))
	if own.Reason != "" {
		fmt.Fprintf(&b, "What happened, in the layer %s:\n\n", mdText(oneline(string(own.Layer()), 40)))
		mdBlock(&b, visible(own.Reason, storedText))
	}
	if cause := m.causeOf(own); cause != "" {
		fmt.Fprintf(&b, "Where: it %s.\n\n", mdText(cause))
	}
	for _, s := range c.Stack {
		fmt.Fprintf(&b, "* %s %s\n", mdText(oneline(string(s.Component), 40)), mdText(oneline(fmt.Sprintf("%s (%s, %s)", s.Version, s.Package, s.Release), 200)))
	}
	b.WriteByte('\n')
	if own.Record == nil {
		return b.String()
	}
	if lines := tellingOf(evidence, own); len(lines) > 0 {
		b.WriteString("What the logs say of it:\n\n")
		mdBlock(&b, strings.Join(lines, "\n"))
	}
	if own.Record.Repeat != "" {
		b.WriteString("To ask it again:\n\n")
		mdBlock(&b, oneline(own.Record.Repeat, 1000))
	}
	return b.String()
}

// tellingOf reads what the evidence of an answer says most clearly.
func tellingOf(run fs.FS, r *Result) []string {
	read := evidenceReader{run, evidenceTotalLimit}
	return read.bundle(r.Record).telling(r.Reason)
}

var (
	// telling are the words of lines that tell of trouble, on consoles and in logs.
	telling = regexp.MustCompile(`(?i)\b(error|fatal|panic|oops|BUG|abort\w*|assert\w*|segfault|denied|killed|refused|fail\w*|cannot|can't|unable|invalid|unknown|corrupt\w*|out of memory)\b`)
	// ambient is what hosts always say that have no system bus, firmware, name service or
	// control groups of their own, and emulated processors: it tells of no failure.
	ambient = regexp.MustCompile(`system bus|DBus not available|dmidecode|DMIData|Unable to open /dev/kvm|/dev/mem\b|name resolution|cgroup controller is required|Unable to calibrate against PIT|read kernel buffer failed|ommand line: |nmi watchdog|IOMMUv2 functionality|pci=nocrs|PM-Timer failed|^/\S*qemu-system-\S+ -`)
	digits  = regexp.MustCompile(`\d+`)
	// quoted are the words of a failure that others said.
	quoted = regexp.MustCompile(`[A-Za-z][\w-]{4,}`)
)

// telling are the lines of the evidence that say most of a failure, in the order in which
// they are there, each behind the name of its file: those with its words, and those that
// tell of trouble.
func (e *evidence) telling(reason string) (lines []string) {
	if e == nil {
		return nil
	}
	words := quoted.FindAllString(reason, -1)
	type line struct{ at, weight int }
	var all []string
	found := map[string]line{} // what is said again counts where it was said last
	for _, f := range e.Files {
		if !strings.HasSuffix(f.Name, ".log") || strings.HasSuffix(f.Name, "command-line.log") {
			continue
		}
		for text := range strings.Lines(f.Text) {
			text = strings.TrimSpace(text)
			if ambient.MatchString(text) {
				continue
			}
			weight := 0
			for _, w := range words {
				if strings.Contains(text, w) {
					weight++
				}
			}
			if telling.MatchString(text) {
				weight += 3
			}
			if weight >= 3 {
				found[digits.ReplaceAllString(text, "")] = line{len(all), weight}
			}
			all = append(all, f.Name+": "+clip(text, 300))
		}
	}
	best := slices.SortedFunc(maps.Values(found), func(a, b line) int { return cmp.Or(b.weight-a.weight, b.at-a.at) })
	best = best[:min(len(best), tellingLines)]
	slices.SortFunc(best, func(a, b line) int { return a.at - b.at })
	for _, l := range best {
		lines = append(lines, all[l.at])
	}
	return lines
}
