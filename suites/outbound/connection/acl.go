package connection

import (
	"strings"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

// Whoever may write to the socket is asked about by polkit for each call. Its defaults
// let anybody connect and look for domains, and nobody but root change one
// (org.libvirt.api.policy).
var _ = check.Register("O-ACL", check.Spec{
	Asserts:  "A user whom polkit grants a right has that right, and is denied all others",
	Requires: []matrix.Requirement{matrix.KVMStack, matrix.Since(matrix.Libvirt, "1.1.0")},
	Depends:  check.On(matrix.Libvirt),
	Control: sabotage.Command("a polkit that grants everything", `mkdir -p /etc/polkit-1/rules.d /etc/polkit-1/localauthority/90-mandatory.d
echo 'polkit.addRule(function() { return polkit.Result.YES; });' >/etc/polkit-1/rules.d/00-all.rules
printf '[all]\nIdentity=unix-user:*\nAction=*\nResultAny=yes\n' >/etc/polkit-1/localauthority/90-mandatory.d/all.pkla
chmod -R a+rX /etc/polkit-1`),
}, func(t *steps.T) {
	d, group := t.Define(), t.Layout().Accounts.SocketGroup
	u := t.PlainUser(group)
	t.StartPolkit(u, "org.libvirt.api.domain.start")
	t.Configure(t.Manager().Config, "auth_unix_rw = \"none\"\nunix_sock_rw_perms = \"0770\"\nunix_sock_group = \""+group+"\"\naccess_drivers = [ \"polkit\" ]\n")

	user := func(args string) (int, string) {
		said := u.Run("virsh -q -c " + t.URI() + " " + args)
		return said.Code, strings.TrimSpace(said.Text())
	}
	code, said := user("list --all --name")
	t.Expect(code).To(Equal(0), said)
	t.Expect(strings.Fields(said)).To(ContainElement(d.Name), "domains that the user sees")
	code, said = user("start --paused " + d.Name)
	t.Expect(code).To(Equal(0), said)
	for _, denied := range []string{"destroy " + d.Name, "undefine " + d.Name, "dumpxml --security-info " + d.Name, "reset " + d.Name} {
		code, said = user(denied)
		t.Expect(code).To(Equal(1), "status of the user's %s: %s", denied, said)
		// The words before the colon are those of code 88 (virErrorMsg).
		t.Expect(said).To(ContainSubstring("error: access denied"), "what the user's %s says", denied)
	}
	d = d.Again()
	t.Expect(d.State()).To(Equal(libvirt.DOMAIN_PAUSED), "state of the domain that the user may start only")
	t.VirshSays("destroy " + d.Name) // root may
})
