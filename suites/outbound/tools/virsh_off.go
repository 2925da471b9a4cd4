package tools

import (
	"strings"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// notOff are commands of virsh after which a domain that is off would not be, or not be there,
// and those that wait for a user.
const notOff = "start|create|define|undefine|restore|domrename|edit|console|event|qemu-monitor-event|await|cpu-baseline|hypervisor-cpu-baseline"

var _ = check.Register("O-CLI-OFF", check.Spec{
	Asserts:  "Every command of virsh that is given a domain which is off, and nothing else, ends by itself with a status of its own",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "1.0.0")},
	Depends:  check.On(matrix.Libvirt, matrix.XenHyp),
	Control:  sabotage.Wrap("virsh", "a virsh that crashes", `case "$*" in *" domstate "*) kill -SEGV $$;; esac; exec $REAL "$@"`),
}, func(t *steps.T) {
	d := t.Define()
	commands := t.Sh("{ virsh help domain; virsh help monitor; } | sed -n 's/^    \\([a-z][a-z0-9-]*\\) .*/\\1/p' | grep -vxE '" + notOff + "' | sort -u")
	t.Expect(len(strings.Fields(commands))).To(BeNumerically(">", 60), "commands of virsh about domains")
	said := t.Sh("for c in " + strings.Join(strings.Fields(commands), " ") + "; do timeout 20 virsh -q -c " + t.URI() + " $c " + d.Name +
		" </dev/null >/dev/null 2>&1; s=$?; [ $s -le 1 ] || echo $c ends with $s; done")
	t.Expect(said).To(BeEmpty(), "commands that do not end with 0 or 1")
	t.Expect(d.Active()).To(BeFalse(), "the domain runs")
})
