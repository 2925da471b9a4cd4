package consumers

import (
	"strings"
	"syscall"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

func init() {
	check.Register("C-DEPLOY-USER", check.Spec{
		Asserts:  "A plain user of the socket's group defines and starts a first guest as the packages come, and one of no group may not",
		Requires: above(),
		Depends:  check.On(matrix.QEMU, matrix.Libvirt),
		Control:  sabotage.Wrap("virsh", "a virsh that starts nothing", `case "$*" in *" start "*) exit 0;; esac; exec $REAL "$@"`),
	}, firstGuest)
	check.Register("C-DEPLOY-PURGE", check.Spec{
		Asserts:  "Guests' disks are there when libvirt's packages are uninstalled with all that they configured",
		Requires: above(matrix.Pristine),
		Depends:  check.On(matrix.Libvirt),
		Control: sabotage.Command("a package that takes the guests' disks with it",
			"sed -i '1a rm -f "+host.ScratchDir+"/*' /var/lib/dpkg/info/libvirt-daemon*.postrm"),
	}, purged)
}

func firstGuest(t *steps.T) {
	g, u := t.NewGuest(), t.PlainUser(t.Layout().Accounts.SocketGroup)
	t.StartPolkit(u) // which lets the group in by libvirt's own rule, where the socket asks it
	t.RestartLibvirt(syscall.SIGTERM)
	xml := u.Home + "/first.xml"
	t.Put(xml, t.Marshal(t.Describe(g)))
	t.Sh("chmod 644 " + xml)
	for _, command := range []string{"define " + xml, "start " + g.Name} {
		said := u.Run("virsh -c " + t.URI() + " " + command)
		t.Expect(said.Code).To(Equal(0), "status of the user's %s: %s", command, said.Text())
	}
	d := t.Adopt(g)
	t.Expect(d.State()).To(Equal(libvirt.DOMAIN_RUNNING), "state of the user's guest")
	guest := d.Guest()
	guest.ExpectGoesOn(guest.Mark())
	said := t.Run("setpriv --reuid=65534 --regid=65534 --clear-groups virsh -c " + t.URI() + " destroy " + g.Name)
	t.Expect(said.OK()).To(BeFalse(), "a user of no group ends the guest: %s", said.Text())
	guest.ExpectGoesOn(guest.Mark())
}

func purged(t *steps.T) {
	disk := t.QCOW2("disk", word)
	t.HoldServices()
	packages := t.Sh(`dpkg-query --show --showformat '${source:Package} ${Package}\n' | sed -n 's/^libvirt //p'`)
	t.Note("uninstalled: %s", strings.Join(strings.Fields(packages), ", "))
	t.Sh("DEBIAN_FRONTEND=noninteractive dpkg --purge " + strings.Join(strings.Fields(packages), " ") + " 2>&1")
	t.Expect(t.Exists(t.Layout().LibvirtConfig+"/qemu.conf")).To(BeFalse(), "configuration of libvirt once it is uninstalled")
	t.Expect(t.TextAt(disk, 0, len(word))).To(Equal(word), "what the guest's disk holds")
}
