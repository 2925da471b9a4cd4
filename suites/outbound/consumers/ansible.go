package consumers

import (
	"fmt"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// Of Debian's packages only ansible has the collection community.libvirt: ansible-core has no
// collections. What its modules import is a user's to install.
var ansiblePackages = []string{"ansible", "python3-libvirt", "python3-lxml"}

// ansible registers a check of what playbooks do by the collection community.libvirt.
func ansible(id, asserts string, control *sabotage.Control, body func(*steps.T, *steps.Ansible)) {
	check.Register(id, check.Spec{
		Asserts:  asserts,
		Requires: above(),
		Depends:  check.On(matrix.QEMU, matrix.Libvirt),
		Hosts:    matrix.Hosts{AddOns: ansiblePackages, Network: true},
		Control:  control,
	}, func(t *steps.T) { body(t, t.InstallAnsible()) })
}

// binding is a Python binding of libvirt whose call says that it is done, and does nothing.
func binding(call string) *sabotage.Control {
	return sabotage.Spoil("a Python binding whose "+call+" does nothing", fmt.Sprintf(
		`f=/usr/lib/python3/dist-packages/libvirt.py; grep -q 'libvirtmod\.%[1]s(' $f && sed -i 's/= libvirtmod\.%[1]s(.*/= 0/' $f`, call))
}

// module is a module of the collection that has something else in the place of what it had.
func module(name, file, old, new string) *sabotage.Control {
	f := steps.CollectionFile(file)
	return sabotage.Spoil(name, fmt.Sprintf(`grep -q %[2]q %[1]s && sed -i %[3]q %[1]s`, f, old, "s/"+old+"/"+new+"/"))
}

func init() {
	ansible("C-ANS-DOM", "Playbooks define, start, pause, resume and end a guest and forget it, and change nothing when they run again",
		binding("virDomainSuspend"), domainLife)
}

func domainLife(t *steps.T, a *steps.Ansible) {
	g := t.NewGuest()
	is := func(state string) steps.Task { return a.Virt(state, steps.Args{"name": g.Name, "state": state}) }
	define := a.Virt("define", steps.Args{"command": "define", "xml": t.Marshal(t.Describe(g))})
	a.Play(define, is("running")).ExpectChanged("define", "running")
	d := t.Adopt(g)
	guest := d.Guest()
	mark := guest.Mark()
	a.Play(define, is("running")).ExpectChanged()
	guest.ExpectGoesOn(mark)

	a.Play(is("paused")).ExpectChanged("paused")
	t.Expect(d.State()).To(Equal(libvirt.DOMAIN_PAUSED), "state of the guest that a playbook paused")
	a.Play(is("paused")).ExpectChanged()
	a.Play(is("running")).ExpectChanged("running")
	guest.ExpectGoesOn(mark)

	a.Play(is("shutdown")).ExpectChanged("shutdown")
	d.WaitFor(libvirt.DOMAIN_SHUTOFF)
	d.ExpectOff(libvirt.DOMAIN_SHUTOFF_SHUTDOWN)
	a.Play(is("shutdown"), is("destroyed")).ExpectChanged()
	a.Play(is("running")).ExpectChanged("running")
	d.Guest()
	a.Play(is("destroyed")).ExpectChanged("destroyed")
	d.ExpectOff(libvirt.DOMAIN_SHUTOFF_DESTROYED)
	a.Play(a.Virt("undefine", steps.Args{"name": g.Name, "command": "undefine"})).ExpectOK()
	t.Expect(t.VirshSays("list --all --name")).NotTo(ContainSubstring(g.Name), "domains once the guest is undefined")
}
