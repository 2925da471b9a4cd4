package kernel

import (
	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// confined is a profile that lets a program be cat and read one file. It has no rule that
// denies: those hold in a profile that only complains, too (apparmor.d(5)).
const confined = `profile vmconfined flags=(attach_disconnected) {
  /{bin,dev,etc,lib*,proc,usr}/** mrix,
  /run/vmplain r,
}
`

var _ = check.Register("IK-LSM", check.Spec{
	Asserts:  "AppArmor keeps a program from what its profile does not allow, lets it have the rest, and denies a libvirt guest nothing",
	Requires: []matrix.Requirement{matrix.OwnKernel, matrix.KVMStack, matrix.AppArmor},
	Depends:  check.On(matrix.Linux, matrix.QEMU, matrix.Libvirt, "security"),
	Control:  sabotage.Wrap("apparmor_parser", "a parser that loads complaining profiles", `exec $REAL -C "$@"`),
}, func(t *steps.T) {
	t.Sh("mkdir -p /run/vmconfined && echo secret >/run/vmconfined/file && echo plain >/run/vmplain")
	t.RemoveAfter("/run/vmconfined")
	t.RemoveAfter("/run/vmplain")
	profile := t.Scratch("profile")
	t.Put(profile, confined)
	t.Sh("apparmor_parser -r " + profile)
	t.Cleanup(func() { t.Run("apparmor_parser -R " + profile) })
	read := func(file string) bool {
		return t.Run("sh -c 'echo \"exec vmconfined\" >/proc/self/attr/exec && exec cat " + file + "'").OK()
	}
	t.Expect(read("/run/vmplain")).To(BeTrue(), "a confined program reads what its profile allows")
	t.Expect(read("/run/vmconfined/file")).To(BeFalse(), "a confined program reads what its profile does not allow")
	denials := "dmesg | grep -c 'apparmor=\"DENIED\".*libvirt-' || true"
	was := t.Sh(denials)
	d, g := t.Started()
	g.ExpectGoesOn(g.Mark())
	t.Expect(d.Confinement()).To(HavePrefix("libvirt-"+d.UUID()), "the profile of the guest's emulator")
	t.Expect(t.Sh(denials)).To(Equal(was), "what AppArmor denied guests of libvirt's")
})
