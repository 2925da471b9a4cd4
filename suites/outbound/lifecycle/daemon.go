package lifecycle

import (
	"syscall"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

var _ = check.Register("O-DAEMON", check.Spec{
	Asserts:  "A guest runs on while libvirt's daemon ends, at once or orderly, and the new daemon finds it as it was",
	Requires: []matrix.Requirement{matrix.KVMStack},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU),
	Control:  sabotage.Command("a daemon that forgets its guests", "(while :; do rm -f /run/libvirt/qemu/*.xml; sleep 0.1; done) >/dev/null 2>&1 &"),
}, func(t *steps.T) {
	g := t.Guest()
	id, uuid, mark := g.Domain.ID(), g.Domain.UUID(), g.Mark()
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		t.RestartLibvirt(signal)
		d := t.Connection().Lookup(g.Name)
		t.Expect(d.State()).To(Equal(libvirt.DOMAIN_RUNNING), "state of the guest after %s of the daemon", signal)
		t.Expect(d.ID()).To(Equal(id), "the domain's ID after %s of the daemon", signal)
		t.Expect(d.UUID()).To(Equal(uuid), "the domain's UUID after %s of the daemon", signal)
		g.ExpectGoesOn(mark)
		d.Suspend()
		d.Resume()
		g.ExpectGoesOn(mark)
	}
})
