package media

import (
	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// userFile is one that a host's administrator wrote.
const userFile = "/etc/virtmatrix-user"

// hidden has the loader go on with the deployment before the newest one, whatever its
// configuration says: the links that kernels' arguments lead over are exchanged.
const hidden = `cd /sysroot/ostree/boot.?/virtmatrix/* && mv 0 x && mv 1 0 && mv x 1 && ` + steps.FreezeBoot

var _ = check.Register("D-MEDIA-ROLLBACK", check.Spec{
	Asserts:  "A host updates to another commit and rolls back: each boot has the kernel and the root of its commit, and guests and what users configured stay",
	Requires: []matrix.Requirement{matrix.OwnKernel, matrix.KVMStack, matrix.Deployment, matrix.Pristine},
	Control:  sabotage.Spoil("a loader that never hears of the update", hidden),
}, func(t *steps.T) {
	t.ExpectDeployment(host.FirstCommit)
	d := t.Define()
	t.Sh("echo mine >" + userFile)
	t.Deploy(host.SecondCommit)
	t.Expect(t.BootedCommit()).To(Equal(t.Held(host.FirstCommit)), "the commit that runs before the reboot")
	t.Reboot()
	t.ExpectDeployment(host.SecondCommit)
	runsOn(t, d)
	t.Expect(t.Sh("cat "+host.CommitConfig+" "+userFile)).To(Equal(host.SecondCommit+"\nmine"), "what the update brought to /etc, and what its user wrote there")
	t.BootEarlier()
	t.Reboot()
	t.ExpectDeployment(host.FirstCommit)
	runsOn(t, d)
	t.Expect(t.Sh("cat "+host.CommitConfig+" "+userFile)).To(Equal(host.FirstCommit+"\nmine"), "/etc of the deployment that was rolled back to")
	t.KeepEarlier()
	t.Expect(t.Bootable()).To(Equal([]string{t.Deployment(host.FirstCommit)}), "what the loader can boot from now on")
})

// runsOn asserts that a guest that was defined before a reboot is still there and starts.
func runsOn(t *steps.T, defined *steps.Domain) {
	d := defined.Again()
	d.Start()
	g := d.Guest()
	g.ExpectGoesOn(g.Mark())
	d.Destroy()
}
