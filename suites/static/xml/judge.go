package xml

import (
	"fmt"
	"slices"
	"strings"

	"github.com/virtmatrix/virtmatrix/fixtures/corpus"
)

// Who took exception to a file.
const (
	// schema is the cell's own schema, lost a dump that lacks what was sent.
	schema = "SCHEMA"
	lossy  = "LOST"
	// gate is libvirt, which does not let a file through; broken an emulator that
	// refuses what libvirt wrote.
	gate   = "GATE"
	broken = "BREAK"
)

// exception is what somebody has against a file.
type exception struct {
	file *corpus.File
	by   string
	text string
}

// pair is a libvirt with an emulator, and what they have against the files of a group.
type pair struct {
	libvirt, qemu string
	exceptions    []exception
	// through are the files of which all was asked.
	through []*corpus.File
}

func (p *pair) object(f *corpus.File, by, format string, args ...any) {
	p.exceptions = append(p.exceptions, exception{f, by, fmt.Sprintf(format, args...)})
}

// due says whether a file must be taken by the pair, in the eyes of who objects: a
// document is libvirt's alone.
func (p *pair) due(f *corpus.File, by string) bool {
	return f.Libvirt.Has(p.libvirt) && (by == schema || by == lossy || f.QEMU.Has(p.qemu))
}

// unexpected lists the exceptions to files that must be taken.
func (p *pair) unexpected() []exception {
	return slices.DeleteFunc(slices.Clone(p.exceptions), func(e exception) bool { return !p.due(e.file, e.by) })
}

// names lists the files of exceptions, each once.
func names(exceptions []exception) string {
	var names []string
	for _, e := range exceptions {
		if !slices.Contains(names, e.file.Path()) {
			names = append(names, e.file.Path())
		}
	}
	return strings.Join(names, ", ")
}

// verdict is what a maintainer is told; empty when every file that must be taken was.
func (p *pair) verdict() string {
	bad := p.unexpected()
	if len(bad) == 0 {
		return ""
	}
	lines := []string{fmt.Sprintf("libvirt %s with qemu %s does not take: %s (each must work, says the head of its file in fixtures/corpus: either a package lost it, or the head is wrong)", p.libvirt, p.qemu, names(bad))}
	for _, e := range bad {
		lines = append(lines, fmt.Sprintf("%s (%s) %s: %s", e.file.Path(), strings.TrimSuffix(e.file.Feature, "."), e.by, e.text))
	}
	return strings.Join(lines, "\n")
}

// notes tell what decides nothing.
func (p *pair) notes() (notes []string) {
	var expected []exception
	for _, e := range p.exceptions {
		if !p.due(e.file, e.by) {
			expected = append(expected, exception{e.file, e.by, e.text})
		}
	}
	if len(expected) > 0 {
		notes = append(notes, fmt.Sprintf("not taken, as their heads say: %s", names(expected)))
	}
	for _, e := range expected {
		if e.by == lossy {
			notes = append(notes, fmt.Sprintf("%s is newer than libvirt %s, which drops it without a word: %s", e.file.Path(), p.libvirt, e.text))
		}
	}
	var early []string
	for _, f := range p.through {
		refused := slices.ContainsFunc(p.exceptions, func(e exception) bool { return e.file == f })
		if !p.due(f, broken) && !refused {
			early = append(early, f.Path())
		}
	}
	if len(early) > 0 {
		notes = append(notes, "taken, though their heads say that it is not due: "+strings.Join(early, ", "))
	}
	return notes
}

// lastWords is the last line of what was said that is no warning: newer emulators
// print those before the error.
func lastWords(said string) string {
	lines := slices.DeleteFunc(strings.Split(said, "\n"), func(l string) bool {
		return strings.TrimSpace(l) == "" || strings.Contains(l, "warning:")
	})
	if len(lines) == 0 {
		return "nothing that is no warning"
	}
	return strings.TrimSpace(lines[len(lines)-1])
}
