package contracts

import (
	"fmt"
	"io"
	"strings"

	"github.com/virtmatrix/virtmatrix/matrix"
)

const tableHead = `# The vdsm contract

What vdsm 4.20 (oVirt 4.2), and beyond it nova, rely on of libvirt and qemu-img, and which check asserts it. A check that passes says that this part of the
contract holds on the packages of its cell; it says nothing of oVirt or OpenStack, which do not run here. This table is generated from where the rows are
written down (suites/outbound/contracts/rows.go).

## What does not hold

Each is a known issue of ci/known-issues.yaml, where the versions and the words are.

| check | known issue | seen on |
| --- | --- | --- |
`

// Markdown writes the contract as tables: what does not hold, and row by row who asserts
// it.
func Markdown(w io.Writer, checks []matrix.Check) error {
	known := map[string]string{}
	for _, c := range checks {
		known[c.ID] = c.ID
		if c.Draft {
			known[c.ID] += " (a draft)"
		}
	}
	var b strings.Builder
	b.WriteString(tableHead)
	for _, f := range Failures {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", f.Check, f.ID, f.Seen)
	}
	part, asserted := "", 0
	for _, r := range Rows {
		if r.Of != part {
			part = r.Of
			fmt.Fprintf(&b, "\n## %s\n\n| relied on | asserted by | not here, or remark |\n| --- | --- | --- |\n", part)
		}
		var names []string
		for _, id := range r.Checks {
			if known[id] == "" {
				return fmt.Errorf("cannot write contract: row %q names %s, which is no check", r.Row, id)
			}
			names = append(names, known[id])
		}
		if len(r.Checks) > 0 {
			asserted++
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", r.Row, strings.Join(names, ", "), r.Why)
	}
	fmt.Fprintf(&b, "\n%d of %d rows are asserted, in whole or in part; the others say why not.\n", asserted, len(Rows))
	_, err := io.WriteString(w, b.String())
	return err
}
