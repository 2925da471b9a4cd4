package tools

import (
	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// What people feed virsh with: a script, a pipe, an editor.
var _ = check.Register("O-STDIN", check.Spec{
	Asserts:  "virsh does what it reads: commands from a script, XML from a pipe, and what an editor made of a definition",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "1.2.12")},
	Depends:  check.On(matrix.Libvirt),
	Control:  sabotage.Wrap("virsh", "a virsh that edits nothing", `case "$*" in *" edit "*) exit 0;; esac; exec $REAL "$@"`),
}, func(t *steps.T) {
	d := t.Define()
	virsh := "virsh -q -c " + t.URI()
	said := t.Run("printf 'desc --title " + d.Name + " --config by-script\\ndominfo nosuch\\ndomuuid " + d.Name + "\\n' | " + virsh)
	t.Expect(said.OK()).To(BeTrue(), "a script whose last command succeeds: %s", said.Text())
	t.Expect(string(said.Stdout)).To(ContainSubstring(d.UUID()), "what a script prints after a command that failed")
	t.Expect(d.Dump(0)).To(ContainSubstring("<title>by-script</title>"))

	t.Sh(virsh + " dumpxml " + d.Name + " | sed s/by-script/by-pipe/ | " + virsh + " define /dev/stdin")
	t.Expect(d.Dump(0)).To(ContainSubstring("<title>by-pipe</title>"))
	t.Expect(edit(t, d, "s/by-pipe/by-editor/")).To(Equal(0), "status of virsh edit")
	t.Expect(d.Dump(0)).To(ContainSubstring("<title>by-editor</title>"))
})

// Nobody is asked again where there is no terminal.
var _ = check.Register("O-EDIT", check.Spec{
	Asserts:  "An edit that is refused leaves the definition as it was, and virsh ends with an error",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "1.2.12")},
	Depends:  check.On(matrix.Libvirt),
	Control:  sabotage.Wrap("virsh", "a virsh that always ends with 0", `$REAL "$@"; exit 0`),
}, func(t *steps.T) {
	d := t.Define()
	defined := d.Dump(0)
	for _, bad := range []string{"s/domain/nonsense/", "/vcpu/s/1/many/"} {
		status := edit(t, d, bad)
		t.Expect(d.Dump(0)).To(Equal(defined), "the definition after an edit that was refused")
		t.Expect(status).To(Equal(1), "status of virsh edit after sed -i %s, which is refused", bad)
	}
	t.Expect(t.Virsh("edit nosuch").Code).To(Equal(1), "status of virsh edit of no domain")
})

// edit returns the status of virsh edit with a script of sed for an editor.
func edit(t *steps.T, d *steps.Domain, script string) int {
	return t.Run("EDITOR='sed -i " + script + "' virsh -q -c " + t.URI() + " edit " + d.Name + " </dev/null").Code
}
