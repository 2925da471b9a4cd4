package guest

import (
	"strings"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

func init() {
	qga("O-QGA-USER", "A guest's password and keys that libvirt sets by QEMU's agent are those that log in, in files that are the user's",
		sabotage.Swallow("virDomainSetUserPassword"), setsUser)
	qga("O-QGA-CPU", "A processor that libvirt takes offline by QEMU's agent is so in the guest, until it is brought back",
		sabotage.Swallow("virDomainSetGuestVcpus"), setsCPUs)
}

func setsUser(t *steps.T) {
	d, g := t.StartedWithQEMUAgent()
	hash := func(word, salt string) string {
		return t.Sh("perl -e 'print crypt($ARGV[0], $ARGV[1])' '" + word + "' '" + salt + "'")
	}
	entry := func() string {
		for _, line := range strings.Split(g.In("/etc/shadow"), "\n") {
			if fields := strings.Split(line, ":"); fields[0] == steps.AgentUser {
				return fields[1]
			}
		}
		return ""
	}
	t.Expect(entry()).To(Equal("!"), "password of a user who has none")
	t.Do("set a password", func() error { return d.Raw.SetUserPassword(steps.AgentUser, "a word of "+g.Token, 0) })
	set := entry()
	t.Expect(set).To(And(HavePrefix("$"), Equal(hash("a word of "+g.Token, set))), "password that was set, as crypt(3) makes it")
	given := hash("another", "$6$vmsalt$")
	t.Do("set a password by its hash", func() error {
		return d.Raw.SetUserPassword(steps.AgentUser, given, libvirt.DOMAIN_PASSWORD_ENCRYPTED)
	})
	t.Expect(entry()).To(Equal(given), "password that was set by its hash")
	t.VirshSays("set-user-password " + d.Name + " " + steps.AgentUser + " 'by virsh'")
	t.Expect(entry()).To(Equal(hash("by virsh", entry())), "password that virsh set")
	kept := entry()
	err := t.Try("set the password of nobody", func() error { return d.Raw.SetUserPassword("nosuchuser", "word", 0) })
	t.Expect(err).To(HaveOccurred())
	t.Note("the password of nobody: %s", steps.Text(err))
	t.Expect(entry()).To(Equal(kept), "password of the user after that of nobody was set")

	const home, one, two = "/home/" + steps.AgentUser, "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOne one@example", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAITwo two@example"
	keys := func() []string { return strings.Split(strings.TrimSpace(g.In(home+"/.ssh/authorized_keys")), "\n") }
	setKeys := func(flags libvirt.DomainAuthorizedSSHKeysFlags, all ...string) {
		t.Do("set keys", func() error { return d.Raw.AuthorizedSSHKeysSet(steps.AgentUser, all, flags) })
	}
	setKeys(0, one)
	t.Expect(keys()).To(Equal([]string{one}), "keys that were set")
	setKeys(libvirt.DOMAIN_AUTHORIZED_SSH_KEYS_SET_APPEND, two)
	setKeys(libvirt.DOMAIN_AUTHORIZED_SSH_KEYS_SET_APPEND, one)
	t.Expect(keys()).To(Equal([]string{one, two}), "keys once one was added, and one again")
	told := steps.Get(t, "ask for keys", func() ([]string, error) { return d.Raw.AuthorizedSSHKeysGet(steps.AgentUser, 0) })
	t.Expect(told).To(ConsistOf(one, two), "keys that libvirt tells; the agent has turned their order round up to 7.2 at least")
	setKeys(libvirt.DOMAIN_AUTHORIZED_SSH_KEYS_SET_REMOVE, one)
	t.Expect(keys()).To(Equal([]string{two}), "keys once one was taken away")
	g.PowerOff()
	d.WaitFor(libvirt.DOMAIN_SHUTOFF)
	for file, mode := range map[string]string{home + "/.ssh": "0700", home + "/.ssh/authorized_keys": "0600"} {
		t.Expect(t.OnImage(g.Root, "stat "+file)).To(And(MatchRegexp(`Mode: +%s`, mode), MatchRegexp(`User: +1234 +Group: +1234`)), "mode and owner of %s", file)
	}
}

func setsCPUs(t *steps.T) {
	d, g := t.StartedWithQEMUAgent(domain.WithSize(domain.Size{CPUs: 2}))
	const first, second = "cpu0", "cpu1"
	shows := func(when string, online ...string) {
		t.Expect(g.CPUs().Online).To(Equal(online), "processors of the guest %s", when)
		n := steps.Get(t, "count the guest's processors", func() (int32, error) { return d.Raw.GetVcpusFlags(libvirt.DOMAIN_VCPU_GUEST) })
		t.Expect(n).To(BeEquivalentTo(len(online)), "number of processors that the agent counts %s", when)
	}
	shows("at the start", first, second)
	told := steps.Get(t, "ask for the guest's processors", func() (*libvirt.DomainGuestVcpus, error) { return d.Raw.GetGuestVcpus(0) })
	t.Expect(told.Offlinable[1]).To(BeTrue(), "the second processor can be offline")
	t.Do("take a processor offline", func() error { return d.Raw.SetGuestVcpus([]bool{false, true}, false, 0) })
	shows("with one offline", first)
	t.Do("bring it back", func() error { return d.Raw.SetGuestVcpus([]bool{false, true}, true, 0) })
	shows("with both online", first, second)
	t.VirshSays("setvcpus " + d.Name + " 1 --guest")
	shows("once virsh set them to one", first)
	t.VirshSays("guestvcpus " + d.Name + " 1 --enable")
	shows("once virsh brought it back", first, second)
	if !told.Offlinable[0] {
		t.Expect(t.Try("take the first processor offline", func() error { return d.Raw.SetGuestVcpus([]bool{true}, false, 0) })).To(HaveOccurred())
	}
	t.Expect(t.Try("take a processor offline that there is not", func() error { return d.Raw.SetGuestVcpus([]bool{false, false, false, true}, false, 0) })).To(HaveOccurred())
	shows("after what was refused", first, second)
}
