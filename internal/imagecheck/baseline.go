// Package imagecheck tests cloud images against the written baseline of what an
// image must be that many machines are made from. Nothing of an image is executed,
// mounted or believed: it is read in user space, and no path leads out of it.
package imagecheck

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// Rule is one rule of the baseline.
type Rule struct {
	// ID is stable and never reused.
	ID string
	// For are the distributions that it counts for, by family; all if there is none.
	For []Family
	// What holds of an image that keeps it, and Why; How it is seen.
	What, Why, How string

	needs needs
	// look answers; nil where only a boot can tell.
	look func(*image) (answer, error)
	// tell answers where only a boot can.
	tell func(*Booted) answer
}

// Family is a family of distributions, whose images have things at the same places.
type Family string

// The families.
const (
	Debian Family = "debian"
	EL     Family = "el"
)

// needs is what of an image must be readable before a rule can be asked.
type needs int

const (
	theFile needs = iota
	theQCOW
	theDisk
	theRoot
)

// Baseline are all rules, in the order of reports.
func Baseline() []Rule {
	return slices.Concat(fileRules, diskRules, identityRules, systemRules, bootRules)
}

// Document writes the baseline as docs/image-baseline.md has it.
func Document(w io.Writer) error {
	var b strings.Builder
	b.WriteString(`# The baseline of cloud images

What an image must be that many machines are made from. ` + "`virtmatrix image check FILE`" + ` tests any raw or qcow2 image against it, without
executing, mounting or believing anything of the image (but for ` + "`-boot`" + `); root file systems on ext4 and XFS are read in user space. The rules are those of the CentOS
kickstarts for generic clouds, and what cloud-init and systemd document about images.

A rule is kept, broken, does not count (other format or distribution), or was not looked at, with the reason. What was not looked at
is never passed: where this happens to a rule that can be seen in a file, the command ends with 2. What is missing from an
image cannot be seen in a boot that goes well, and the reverse: the rules of the last table are not looked at without ` + "`-boot`" + `. With it
the image runs in an emulator, by BIOS and from an overlay on a larger disk, and a seed of cloud-init has it report on its serial port.

This file is written by ` + "`virtmatrix image rules > docs/image-baseline.md`" + `, and a test compares it.
`)
	tables := []struct {
		title string
		rules []Rule
	}{
		{"The file", fileRules}, {"The disk", diskRules}, {"Identity: what must not be shared", identityRules},
		{"The system", systemRules}, {"What only a boot can tell", bootRules},
	}
	for _, t := range tables {
		fmt.Fprintf(&b, "\n## %s\n\n| rule | counts for | what | why | seen by |\n|---|---|---|---|---|\n", t.title)
		for _, r := range t.rules {
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", r.ID, r.CountsFor(), r.What, r.Why, r.How)
		}
	}
	b.WriteString(seedsByVersion)
	_, err := io.WriteString(w, b.String())
	return err
}

// CountsFor says for what images a rule counts.
func (r *Rule) CountsFor() string {
	if r.needs == theQCOW {
		return "qcow2"
	}
	if len(r.For) == 0 {
		return "all"
	}
	var names []string
	for _, f := range r.For {
		names = append(names, string(f))
	}
	return strings.Join(names, ", ")
}
