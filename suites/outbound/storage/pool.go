// Package storage holds the checks of pools and volumes.
package storage

import (
	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

var _ = check.Register("O-POOL-DIR", check.Spec{
	Asserts:  "A directory pool is defined, built, started, refreshed, destroyed and deleted",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "0.4.1")},
	Depends:  check.On(matrix.Libvirt),
	Control:  sabotage.Swallow("virStoragePoolRefresh"),
}, func(t *steps.T) {
	p := t.DefinePool()
	t.Expect(p.Active()).To(BeFalse(), "a defined pool is active")
	t.Expect(t.Exists(p.Path)).To(BeFalse(), "the folder is there before it is built")
	p.Build()
	t.Expect(t.Run("test -d "+p.Path).OK()).To(BeTrue(), "the folder is built")
	p.Start()
	t.Expect(p.Active()).To(BeTrue(), "a started pool is active")
	t.Refuses("start pool twice", libvirt.ERR_OPERATION_INVALID, func() error { return p.Raw.Create(0) })

	startsByItself(t, p)

	t.Sh("truncate -s 1M " + p.Path + "/found.img")
	p.ExpectNoVolume("found.img") // before the pool is refreshed
	p.Refresh()
	t.Expect(p.Volumes()).To(Equal([]string{"found.img"}))
	t.Expect(t.VirshSays("vol-path --pool " + p.Name + " found.img")).To(Equal(p.Path + "/found.img"))
	info := p.Info()
	t.Expect(info.Capacity).To(BeNumerically(">", 0))
	t.Expect(info.Allocation + info.Available).To(BeNumerically("<=", info.Capacity))

	t.Sh("rm " + p.Path + "/found.img")
	p.Destroy()
	t.Expect(p.Active()).To(BeFalse(), "a destroyed pool is active")
	t.Expect(t.Run("test -d "+p.Path).OK()).To(BeTrue(), "the folder of a destroyed pool is kept")
	p.Delete()
	t.Expect(t.Exists(p.Path)).To(BeFalse(), "the folder of a deleted pool is there")
	p.Undefine()
	p.ExpectGone()
})

// startsByItself sets a pool's autostart and takes it back; what the daemon
// would do is in its link.
func startsByItself(t *steps.T, p *steps.Pool) {
	link := "test -L " + t.Layout().LibvirtConfig + "/storage/autostart/" + p.Name + ".xml"
	for _, auto := range []bool{true, false} {
		p.SetAutostart(auto)
		t.Expect(p.Autostart()).To(Equal(auto), "autostart")
		t.Expect(t.Run(link).OK()).To(Equal(auto), "autostart link")
	}
}
