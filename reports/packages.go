package reports

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/virtmatrix/virtmatrix/matrix"
)

// Move is what differs between the packages of two hosts, or of several pairs of them
// between which the same differs.
type Move struct {
	// Old and New name the hosts: cells, or cells of runs.
	Old, New []string
	// Differences are by name.
	Differences []matrix.Difference
	// Entries are those of the changelogs between the two versions, by the names of the
	// packages that have them.
	Entries map[string][]string
}

// Moves are those of the cells and their baselines.
func (m *Matrix) Moves() (all []Move) {
	byID := map[string]*Cell{}
	for i := range m.Cells {
		byID[m.Cells[i].ID] = &m.Cells[i]
	}
	for i := range m.Cells {
		if c := &m.Cells[i]; byID[c.Baseline] != nil && len(c.Images) > 0 {
			was := byID[c.Baseline]
			all = addMove(all, was.ID, c.ID, matrix.Differing(m.PackageSets, was.Images, c.Images))
		}
	}
	return all
}

// Since are the moves of the cells that an earlier run has as well.
func (m *Matrix) Since(earlier *Matrix, name, earlierName string) (all []Move) {
	sets := map[string]matrix.PackageSet{}
	for _, of := range []*Matrix{earlier, m} {
		for key, set := range of.PackageSets {
			sets[key] = set
		}
	}
	for _, c := range m.Cells {
		for _, was := range earlier.Cells {
			if was.ID == c.ID {
				all = addMove(all, earlierName+" "+was.ID, name+" "+c.ID, matrix.Differing(sets, was.Images, c.Images))
			}
		}
	}
	return all
}

// Between is the move from one cell to another.
func (m *Matrix) Between(was, now *Cell) Move {
	return Move{Old: []string{was.ID}, New: []string{now.ID}, Differences: matrix.Differing(m.PackageSets, was.Images, now.Images)}
}

// addMove adds a move to those between which something else differs. One without a
// difference is none.
func addMove(all []Move, old, new string, differences []matrix.Difference) []Move {
	if len(differences) == 0 {
		return all
	}
	move := Move{Old: []string{old}, New: []string{new}, Differences: differences}
	for i := range all {
		if all[i].text(0) == move.text(0) {
			all[i].Old, all[i].New = append(all[i].Old, old), append(all[i].New, new)
			return all
		}
	}
	return append(all, move)
}

// Text writes the move for people: each package, and what its changelog says.
func (mv Move) Text() string {
	var b strings.Builder
	for i := range mv.Old {
		fmt.Fprintf(&b, "%s -> %s\n", oneline(mv.Old[i], 200), oneline(mv.New[i], 200))
	}
	if len(mv.Differences) == 0 {
		b.WriteString("  the packages are the same\n")
	}
	b.WriteString(mv.text(0))
	told := map[string]string{}
	for _, d := range mv.Differences {
		text := strings.Join(mv.Entries[d.Name], "\n\n")
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
func (mv Move) text(most int) string {
	var b strings.Builder
	for i, d := range mv.Differences {
		if most > 0 && i == most {
			fmt.Fprintf(&b, "  and %d more: virtmatrix packages\n", len(mv.Differences)-i)
			break
		}
		fmt.Fprintf(&b, "  %s\n", oneline(d.String(), 200))
	}
	return b.String()
}

// Title says how much there is, and where.
func (mv Move) Title() string {
	return fmt.Sprintf("%s of %s against the baseline", number(len(mv.Differences), "different package"), number(len(mv.New), "cell"))
}

// List is a line for each difference, as far as a report lists them.
func (mv Move) List() string { return mv.text(shownDifferences) }

// shownDifferences is how many packages of a move a report lists.
const shownDifferences = 30

// packages prints what moved between the cells of a change.
func (t terminal) packages(b *bytes.Buffer, m *Matrix) {
	for _, mv := range m.Moves() {
		fmt.Fprintf(b, "\n%s\n%s", t.paint(bold, mv.Title()), mv.List())
	}
}

// mdPackages writes what moved between the cells of a change.
func mdPackages(b *bytes.Buffer, m *Matrix) {
	for _, mv := range m.Moves() {
		fmt.Fprintf(b, "<details><summary>%s</summary>\n\n```\n%s```\n\n</details>\n\n", mv.Title(), strings.ReplaceAll(mv.List(), "```", "'''"))
	}
}
