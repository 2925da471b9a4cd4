package devices

import (
	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/fixtures/l2"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// virtiofsd makes namespaces in any sandbox, which Docker keeps from containers. Guests' kernels for clouds know virtiofs, and
// not 9p.
// servesAnother puts a script in the place of virtiofsd, wherever the release has it.
const servesAnother = `for f in /usr/lib/qemu/virtiofsd /usr/libexec/virtiofsd; do
	test -e $f || continue
	mv $f $f.real && printf '#!/bin/bash\nexec %s.real "${@/O-VFS-shared/O-VFS-other}"\n' $f >$f && chmod 755 $f
done`

var _ = check.Register("O-VFS", check.Spec{
	Asserts:  "A guest mounts a folder of its host, and each reads what the other wrote there",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Privileged, matrix.Since(matrix.Libvirt, "6.2.0")},
	Depends:  check.On(matrix.Linux, matrix.QEMU, matrix.Libvirt, "machine", "accel"),
	Control:  sabotage.Command("a server that shares another folder", servesAnother),
}, func(t *steps.T) {
	folder := t.Scratch("shared")
	t.Sh("mkdir -p " + folder + " " + t.Scratch("other"))
	t.Put(folder+"/from-host", "written by the host")
	d, g := t.Started(domain.WithShared(folder, "tag of it"))
	g.Mount("tag of it")
	t.Expect(g.LoadFile(l2.SharedDir+"/from-host")).To(Equal("written by the host"), "what the guest reads")
	g.StoreFile(l2.SharedDir+"/from-guest", "written by "+g.Token)
	t.Expect(t.Sh("stat -c %a:%u "+folder+"/from-guest && cat "+folder+"/from-guest")).To(Equal("640:0\nwritten by "+g.Token), "the file that the guest wrote: mode, owner and content")
	t.Put(folder+"/from-host", "written anew")
	t.Until(steps.PlugLimit, "the guest reads what the host wrote since", func() bool { return g.LoadFile(l2.SharedDir+"/from-host") == "written anew" })
	d.Destroy()
	t.Until(steps.PlugLimit, "the server of the folder has ended", func() bool { return !t.Run("pgrep -f '[v]irtiofsd.*" + folder + "'").OK() })
})
