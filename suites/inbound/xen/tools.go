package xen

import (
	"strings"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// For these a guest need not run: it is created, and stands still.
var _ = check.Register("IX-TOOLS", check.Spec{
	Asserts:  "xentop and xl's listings tell of a guest by name and number, and of its memory, processors and state",
	Requires: stack,
	Depends:  depends,
	Control:  sabotage.Filter("xentop", "a xentop that cuts names short", "s/l2-/l-/"),
}, func(t *steps.T) {
	g := t.XlCreate(t.NewGuest(), nil, "-p")
	id := g.DomID()
	for _, tool := range []struct{ command, line string }{
		{"xentop -b -i 1", `^\s*NAME\s+----p-\s`},
		{"xl list", `^NAME\s+ID\s+128\s+1\s+--p---\s`},
		{"xl list -l", `"domid": ID\b`},
		{"xl vm-list", `^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\s+ID\s+NAME$`},
		{"xl domname ID", `^NAME$`},
		{"xl vcpu-list", `^NAME\s+ID\s+0\s`},
		{"xl uptime", `^NAME\s+ID\s+\d+:\d\d`},
		{"xl claims", `^NAME\s+ID\s+128\s+1\s`},
		{"xl sched-credit2", `^NAME\s+ID\s+256\b`},
		{"xl cpupool-list -c", `^Pool-0\s+0,1$`},
		{"xl info -n", `^nr_cpus\s+: 2$`},
	} {
		of := strings.NewReplacer("NAME", g.Name, "ID", id)
		t.Expect(t.Sh(of.Replace(tool.command))).To(MatchRegexp("(?m)"+of.Replace(tool.line)), "what %s prints", tool.command)
	}
})

// The console has what the ring lost, and the ring what is below the console's level.
var _ = check.Register("IX-DMESG", check.Spec{
	Asserts:  "The hypervisor's log and dom0's hold no warning, bug or failed assertion beyond the known harmless ones",
	Requires: stack,
	Depends:  depends,
	Control:  sabotage.Filter("xl", "a hypervisor that has warned", `$a(XEN) Xen WARN at common/sched/core.c:166`),
}, func(t *steps.T) {
	log := t.Xl("dmesg")
	t.Expect(log).To(ContainSubstring("(XEN)"), "what the hypervisor's log has")
	t.Clean(log)
	t.Clean(t.Console())
	t.Clean(t.Sh("dmesg"))
	for line := range strings.Lines(log) {
		if strings.Contains(line, "WARNING") {
			t.Note("%s", strings.TrimSpace(line))
		}
	}
})
