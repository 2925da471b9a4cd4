package reports

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/virtmatrix/virtmatrix/matrix"
)

// PackageDiff is what differs between the packages of two hosts, or of several pairs of them
// between which the same differs.
type PackageDiff struct {
	// Old and New name the hosts: cells, or cells of runs.
	Old, New []string
	// Differences are by name.
	Differences []matrix.Difference
	// Entries are those of the changelogs between the two versions, by the names of the
	// packages that have them.
	Entries map[string][]string
}

// PackageDiffs are those of the cells and their baselines.
func (m *Matrix) PackageDiffs() (all []PackageDiff) {
	byID := map[string]*Cell{}
	for i := range m.Cells {
		byID[m.Cells[i].ID] = &m.Cells[i]
	}
	for i := range m.Cells {
		if c := &m.Cells[i]; byID[c.Baseline] != nil && len(c.Images) > 0 {
			was := byID[c.Baseline]
			if differences := matrix.Differing(m.PackageSets, was.Images, c.Images); len(differences) > 0 {
				all = addPackageDiff(all, was.ID, c.ID, differences)
			}
		}
	}
	return all
}

// Since are those of the cells that an earlier run has as well.
func (m *Matrix) Since(earlier *Matrix, name, earlierName string) (all []PackageDiff) {
	sets := map[string]matrix.PackageSet{}
	for _, of := range []*Matrix{earlier, m} {
		for key, set := range of.PackageSets {
			sets[key] = set
		}
	}
	for _, c := range m.Cells {
		for _, was := range earlier.Cells {
			if was.ID == c.ID {
				all = addPackageDiff(all, earlierName+" "+was.ID, name+" "+c.ID, matrix.Differing(sets, was.Images, c.Images))
			}
		}
	}
	return all
}

// Between compares two cells.
func (m *Matrix) Between(was, now *Cell) PackageDiff {
	return PackageDiff{Old: []string{was.ID}, New: []string{now.ID}, Differences: matrix.Differing(m.PackageSets, was.Images, now.Images)}
}

// addPackageDiff adds what differs between two hosts to others of which the same differs.
func addPackageDiff(all []PackageDiff, old, new string, differences []matrix.Difference) []PackageDiff {
	diff := PackageDiff{Old: []string{old}, New: []string{new}, Differences: differences}
	for i := range all {
		if all[i].text(0) == diff.text(0) {
			all[i].Old, all[i].New = append(all[i].Old, old), append(all[i].New, new)
			return all
		}
	}
	return append(all, diff)
}

// Text writes it for people: each package, and what its changelog says.
func (p PackageDiff) Text() string {
	var b strings.Builder
	for i := range p.Old {
		fmt.Fprintf(&b, "%s -> %s\n", oneline(p.Old[i], 200), oneline(p.New[i], 200))
	}
	if len(p.Differences) == 0 {
		b.WriteString("  the packages are the same\n")
	}
	b.WriteString(p.text(0))
	told := map[string]string{}
	for _, d := range p.Differences {
		text := strings.Join(p.Entries[d.Name], "\n\n")
		switch {
		case text == "":
		case told[text] != "": // packages of one source have one changelog
			fmt.Fprintf(&b, "\n%s: as %s\n", oneline(d.Name, 80), told[text])
		default:
			told[text] = oneline(d.Name, 80)
			fmt.Fprintf(&b, "\n%s:\n", told[text])
			for line := range strings.Lines(text) {
				fmt.Fprintf(&b, "    %s\n", oneline(strings.TrimRight(line, "\n"), 200))
			}
		}
	}
	return b.String()
}

// text is a line for each difference, of no more than some if that is not 0.
func (p PackageDiff) text(most int) string {
	var b strings.Builder
	for i, d := range p.Differences {
		if most > 0 && i == most {
			fmt.Fprintf(&b, "  and %d more: virtmatrix packages\n", len(p.Differences)-i)
			break
		}
		fmt.Fprintf(&b, "  %s\n", oneline(d.String(), 200))
	}
	return b.String()
}

// Title says how much there is, and where.
func (p PackageDiff) Title() string {
	return fmt.Sprintf("%s of %s against the baseline", number(len(p.Differences), "different package"), number(len(p.New), "cell"))
}

// List is a line for each difference, as far as a report lists them.
func (p PackageDiff) List() string { return p.text(shownDifferences) }

// shownDifferences is how many packages of a diff a report lists.
const shownDifferences = 30

// packages prints what moved between the cells of a change.
func (t terminal) packages(b *bytes.Buffer, m *Matrix) {
	for _, d := range m.PackageDiffs() {
		fmt.Fprintf(b, "\n%s\n%s", t.paint(bold, d.Title()), d.List())
	}
}

// mdPackages writes what moved between the cells of a change.
func mdPackages(b *bytes.Buffer, m *Matrix) {
	for _, d := range m.PackageDiffs() {
		fmt.Fprintf(b, "<details><summary>%s</summary>\n\n```\n%s```\n\n</details>\n\n", d.Title(), strings.ReplaceAll(d.List(), "```", "'''"))
	}
}
