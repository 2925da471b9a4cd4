package update

import (
	"fmt"
	"regexp"
	"strings"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirtxml"
)

// mark is what a user writes into files of configuration, which all take it for a comment.
const mark = "# kept by virtmatrix"

const filter = "<rule action='drop' direction='in'><tcp dstportstart='23'/></rule>"

// quiet is a network that forwards nothing.
const quiet = `<network><name>vmquiet</name><bridge name='vmquiet0' stp='off'/><ip address='192.168.199.1' netmask='255.255.255.0'>
  <dhcp><range start='192.168.199.2' end='192.168.199.9'/></dhcp></ip></network>`

func init() {
	register("U-SNAP", matrix.Upgrade,
		"Snapshots, autostart, pools, networks, secrets with their values and network filters are after an upgrade what they were",
		sabotage.Spoil("an upgrade that loses the values of secrets", "rm -f /etc/libvirt/secrets/*.base64"), keepsState)
	register("U-CONF", matrix.Upgrade,
		"What users wrote into libvirt's configuration, and their hooks, are there after an upgrade, and the new daemon heeds them",
		sabotage.Spoil("an upgrade that takes the packages' files", "sed -i '/"+mark+"/d' /etc/libvirt/*.conf"), keepsConfig)
}

// passing are lines that are no state of anything: the size of a pool, which an inactive one
// does not know, and the alias of the USB controller that a domain has none of.
var passing = regexp.MustCompile(`(?m)^ *<(capacity|allocation|available)\b.*\n|^ *<alias name='usb'/>\n`)

func keepsState(t *steps.T) {
	g := started(t, domain.WithDisk(t.QCOW2("disk", word), "qcow2"))
	g.Domain.SetAutostart(true)
	moment := g.Mark()
	g.Domain.Snapshot("moment", 0)
	pool, secret := t.DefinePool(), t.DefineSecret(libvirtxml.Secret{Usage: &libvirtxml.SecretUsage{Type: "volume", Volume: t.Check}})
	pool.Build()
	pool.SetAutostart(true)
	secret.Set(word)
	t.DefineNetwork(quiet)
	t.DefineFilter("vmfilter", filter)
	told := map[string]string{}
	for _, command := range []string{
		"dumpxml " + g.Name, "dumpxml --inactive " + g.Name, "snapshot-dumpxml " + g.Name + " moment", "pool-dumpxml --inactive " + pool.Name,
		"net-dumpxml --inactive vmquiet", "net-dumpxml --inactive default", "secret-dumpxml " + secret.UUID, "nwfilter-dumpxml vmfilter",
		"nwfilter-dumpxml clean-traffic",
	} {
		told[command] = passing.ReplaceAllString(t.VirshSays(command), "")
	}
	g.PutMemory("another word")

	d := updated(t, g)
	for command, was := range told {
		t.ExpectKept("what virsh "+command+" tells", "", was, t.VirshSays(command))
	}
	pool.LookUp()
	t.Expect([]bool{d.Autostart(), pool.Autostart()}).To(Equal([]bool{true, true}), "autostart of domain and pool")
	t.Expect(t.Connection().Secret(secret.UUID).Value()).To(Equal(word), "value of the secret")
	t.Expect(d.Snapshots(0)).To(Equal([]string{"moment"}))
	t.VirshSays("snapshot-revert " + g.Name + " moment")
	g.WaitReady()
	g.ExpectGoesOn(moment)
}

func keepsConfig(t *steps.T) {
	folder, log := t.Layout().LibvirtConfig, t.Scratch("hook.log")
	t.InstallHook("qemu", "echo \"$1 $2\" >>"+log)
	t.Sh(fmt.Sprintf("for f in %[1]s/*.conf; do echo '%[2]s' >>$f; done; echo 'vnc_listen = \"127.0.0.9\"' >>%[1]s/qemu.conf", folder, mark))
	// RPM puts what users wrote aside, under this name, where the new package has no such file.
	marked := func() []string {
		return strings.Fields(t.Sh(fmt.Sprintf("cd %s; { grep -l '%s' *.conf; for f in *.conf.rpmsave; do test -e ${f%%.rpmsave} || grep -l '%[2]s' $f | sed 's/[.]rpmsave$//'; done; } 2>/dev/null | sort", folder, mark)))
	}
	files := marked()
	t.Note("%d files of configuration", len(files))
	g := started(t)
	updated(t, g)
	t.Expect(marked()).To(Equal(files), "files of configuration that have what their user wrote")
	d := t.Define(domain.WithVNC(""))
	d.StartPaused()
	t.Expect(d.Dump(0)).To(ContainSubstring("127.0.0.9"), "live XML of a guest whose display listens where its user wants")
	t.Expect(t.Sh("cat "+log)).To(ContainSubstring(d.Name+" started"), "calls of the user's hook")
}
