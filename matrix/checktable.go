package matrix

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// ChecksMarkdown writes a table of checks for each family, as Markdown.
func ChecksMarkdown(w io.Writer, checks []Check) error {
	var b strings.Builder
	b.WriteString("# Checks\n\nThis table is generated from where the checks are registered.\n")
	for _, family := range Families(checks) {
		fmt.Fprintf(&b, "\n## %s\n\n| ID | asserts | tiers | requires | depends on | control | seconds |\n| --- | --- | --- | --- | --- | --- | --- |\n", family)
		for _, c := range checks {
			if c.Family == family {
				fmt.Fprintf(&b, "| %s |\n", strings.Join(c.columns(), " | "))
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (c *Check) columns() []string {
	columns := []string{
		c.ID, c.Asserts + c.DraftText(), strings.Join(plain(c.Tiers()), ", "), strings.Join(plain(c.Requires), ", "),
		c.DependsText(), c.ControlText(), c.SecondsText(),
	}
	for i := range columns {
		columns[i] = strings.ReplaceAll(columns[i], "|", `\|`)
	}
	return columns
}

// Families lists the families of some checks in order, each once.
func Families(checks []Check) []string {
	var all []string
	for _, c := range checks {
		all = append(all, c.Family)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// DraftText is added to what a draft asserts.
func (c *Check) DraftText() string {
	if c.Draft {
		return " (a draft: asked only where it is named)"
	}
	return ""
}

// DependsText says what the answer depends on.
func (c *Check) DependsText() string { return dependsText(c.Depends) }

func dependsText(axes []string) string {
	if axes == nil {
		return "everything"
	}
	return listed(axes)
}

// ControlText names the negative control, or says why there is none.
func (c *Check) ControlText() string {
	if c.Control == "" && c.Without != "" {
		return "none: " + c.Without
	}
	return c.Control
}

// SecondsText says what the check costs on each tier where that was measured.
func (c *Check) SecondsText() string {
	var costs []string
	for _, tier := range slices.Sorted(maps.Keys(c.Seconds)) {
		costs = append(costs, fmt.Sprintf("%s %.1f", tier, c.Seconds[tier]))
	}
	return strings.Join(costs, ", ")
}
