// Package tools holds the checks of the programs that users run.
package tools

import (
	"fmt"
	"regexp"
	"strings"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

var _ = check.Register("O-CLI", check.Spec{
	Asserts: "Every command of virsh explains itself, and its lists and return codes are right",
	Depends: check.On(matrix.Libvirt),
	Control: sabotage.Wrap("virsh", "a virsh that always ends with 0", `$REAL "$@"; exit 0`),
}, func(t *steps.T) {
	explainsCommands(t)
	lists(t)
	endsWithStatus(t)
})

// helpLine is a command in virsh's list of all, helpPage the start of its own
// page (vshCmddefHelp).
var (
	helpLine = regexp.MustCompile(`(?m)^ {4}(\S+) +(\S.*)$`)
	helpPage = regexp.MustCompile(`(?m)^ *NAME\n    (\S+) - (\S.*)\n\n  SYNOPSIS\n    (\S+)`)
)

// explainsCommands asks one virsh for the page of every command that it lists:
// a process for each would take minutes under emulation, so a sample is asked
// in processes of their own.
func explainsCommands(t *steps.T) {
	var commands, asked []string
	about := map[string]string{}
	for _, m := range helpLine.FindAllStringSubmatch(t.Sh("virsh help"), -1) {
		commands, about[m[1]] = append(commands, m[1]), m[2]
		asked = append(asked, m[1]+" --help")
	}
	t.Note("virsh lists %d commands", len(commands))
	// 274 in 9.0; what virsh once had it keeps.
	t.Expect(len(about)).To(And(Equal(len(commands)), BeNumerically(">=", 250)), "commands that virsh lists")

	explained := map[string]string{}
	for _, m := range helpPage.FindAllStringSubmatch(t.Sh("virsh "+host.Quote(strings.Join(asked, "; "))), -1) {
		t.Expect(m[3]).To(Equal(m[1]), "synopsis on the page of %s", m[1])
		explained[m[1]] = m[2]
	}
	for _, c := range commands {
		t.Expect(explained[c]).To(Equal(about[c]), "what the page of virsh %s says it does", c)
	}
	for _, c := range []string{commands[0], "list", "start", "vol-upload", commands[len(commands)-1]} {
		t.Expect(t.Sh("virsh " + c + " --help")).To(ContainSubstring("%s - %s", c, about[c]))
	}
}

// lists compares virsh's lists with the API's.
func lists(t *steps.T) {
	d := t.Define()
	uuid, all := d.UUID(), t.Connection().Names()
	t.Expect(strings.Fields(t.VirshSays("list --all --name"))).To(ConsistOf(all))
	uuids := strings.Fields(t.VirshSays("list --all --uuid"))
	t.Expect(uuids).To(And(HaveLen(len(all)), ContainElement(uuid)))
	t.Expect(strings.Split(t.VirshSays("list --all --uuid --name"), "\n")).To(ContainElement(MatchRegexp(`^%s\s+%s\s*$`, uuid, d.Name)))

	table := strings.Split(t.VirshSays("list --all --table"), "\n")
	t.Expect(strings.Fields(table[0])).To(Equal([]string{"Id", "Name", "State"}), "head of the table")
	t.Expect(table).To(HaveLen(2+len(all)), "the table's head, its line and each domain")
	t.Expect(table).To(ContainElement(MatchRegexp(`^\s*-\s+%s\s+shut off\s*$`, d.Name)))
	t.Expect(t.VirshSays("list --inactive --name")).To(ContainSubstring(d.Name))
	t.Expect(t.VirshSays("list --name")).NotTo(ContainSubstring(d.Name))
}

// endsWithStatus: virsh ends with 0 or 1 (EXIT_FAILURE), whatever failed.
func endsWithStatus(t *steps.T) {
	cases := []struct {
		args   string
		status int
	}{
		{"list", 0},
		{"-q uri", 0},
		{"dominfo nosuch", 1},
		{"dominfo", 1},
		{"list --nosuch", 1},
		{"nosuch", 1},
		{"help nosuch", 1},
		{"list --table --name", 1},
		{"-c nosuch:///system list", 1},
		{"'dominfo nosuch; list'", 0},
		{"'list; dominfo nosuch'", 1},
	}
	var script, want []string
	for _, c := range cases {
		script = append(script, fmt.Sprintf(`virsh -c %s %s >/dev/null 2>&1; echo "$? %s"`, t.URI(), c.args, c.args))
		want = append(want, fmt.Sprintf("%d %s", c.status, c.args))
	}
	t.Expect(strings.Split(t.Sh(strings.Join(script, "\n")), "\n")).To(Equal(want), "statuses of virsh commands")
	said := t.Virsh("dominfo nosuch")
	t.Expect(strings.TrimSpace(string(said.Stdout))).To(BeEmpty(), "what a failing command prints on standard output")
	t.Expect(string(said.Stderr)).To(ContainSubstring("error: "), "what a failing command prints on standard error")
}
