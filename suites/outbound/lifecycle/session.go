package lifecycle

import (
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// sessions are how often a user's daemon is started. Its crashes were seen in one of
// some twenty starts.
const sessions = 20

var _ = check.Register("O-SESSION", check.Spec{
	Asserts:  "A plain user's own daemon starts each time that it is called, runs a guest and ends",
	Requires: []matrix.Requirement{matrix.OwnQEMU, matrix.Since(matrix.Libvirt, "0.9.4")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU),
	Control: sabotage.WrapDaemon("a daemon that crashes at a user's second start",
		`[ "$(id -u)" = 0 ] || mkdir "$HOME/first" 2>/dev/null || kill -SEGV $$; exec "$REAL" "$@"`),
}, func(t *steps.T) {
	u := t.PlainUser()
	pid := "$XDG_RUNTIME_DIR/libvirt/" + t.Manager().Name + ".pid"
	ends := fmt.Sprintf(`p=$(cat %s); kill $p; timeout %.0f sh -c "while kill -0 $p 2>/dev/null; do sleep 0.02; done" || exit 3; `, pid, t.Limit(30*time.Second).Seconds())
	const lasting = "a user's daemon that is told to end does not"
	said := u.Run(fmt.Sprintf("for i in $(seq %d); do virsh -q -c qemu:///session list --all || { echo start $i; exit 2; }; %s done", sessions, ends))
	if said.Code == 3 {
		t.TookTooLong(lasting)
	}
	if !said.OK() {
		t.Fail(matrix.LayerManagement, "a user's daemon does not start and end %d times: status %d: %s", sessions, said.Code, strings.TrimSpace(said.Text()))
	}
	// Of what a guest may be nothing but the emulator itself is asked about: it needs no
	// file that a user cannot have.
	xml := fmt.Sprintf(`<domain type="qemu"><name>session</name><memory unit="MiB">64</memory><os><type machine=%q>hvm</type></os>
<devices><controller type="usb" model="none"/><memballoon model="none"/></devices></domain>`, t.Machine())
	file := t.Scratch("session.xml")
	t.Put(file, xml)
	said = u.Run("virsh -q -c qemu:///session 'define " + file + "; start --paused session; domstate session' && " +
		"virsh -q -c qemu:///session 'destroy session; undefine session' && " + ends)
	if said.Code == 3 {
		t.TookTooLong(lasting)
	}
	if !said.OK() || !strings.Contains(said.Text(), "paused") {
		t.Fail(matrix.LayerManagement, "a user's guest does not run: status %d: %s", said.Code, strings.TrimSpace(said.Text()))
	}
})

// The helper is the emulator's; who installs it says who may have which bridge, and gives it
// root's rights (qemu-bridge-helper, docs of QEMU).
var _ = check.Register("O-SESSION-BR", check.Spec{
	Asserts:  "A plain user's guest is on a bridge that the host's configuration allows, and on no other, and nothing is left of it",
	Requires: []matrix.Requirement{matrix.OwnQEMU, matrix.Since(matrix.Libvirt, "1.2.9")},
	Depends:  check.On(matrix.Libvirt, matrix.QEMU),
	Hosts:    matrix.Hosts{Network: true},
	Control:  sabotage.Wrap("virsh", "a virsh that starts nothing", `case "$*" in *create*) exit 0;; esac; exec $REAL "$@"`),
}, func(t *steps.T) {
	helper := t.Sh("ls /usr/lib/qemu/qemu-bridge-helper /usr/libexec/qemu-bridge-helper 2>/dev/null | head -n 1")
	t.Cleanup(func() { t.Sh("ip link delete vmbr1; ip link delete vmbr2; chmod u-s " + helper) })
	t.Sh("chmod u+s " + helper + "; for b in vmbr1 vmbr2; do ip link add $b type bridge && ip link set $b up; done")
	t.RemoveAfter("/etc/qemu/bridge.conf")
	t.Sh("mkdir -p /etc/qemu && echo 'allow vmbr1' >/etc/qemu/bridge.conf")
	u := t.PlainUser()
	ports := func(bridge string) string { return t.Sh("ls /sys/class/net/" + bridge + "/brif") }
	start := func(bridge string) string {
		file := t.Scratch(bridge + ".xml")
		t.Put(file, fmt.Sprintf(`<domain type="qemu"><name>%s</name><memory unit="MiB">64</memory><os><type machine=%q>hvm</type></os>
<devices><controller type="usb" model="none"/><interface type="bridge"><source bridge=%[1]q/><model type="virtio"/></interface><memballoon model="none"/></devices></domain>`, bridge, t.Machine()))
		said := u.Run("virsh -q -c qemu:///session 'create --paused " + file + "'")
		return strings.TrimSpace(said.Text())
	}
	t.Cleanup(func() { u.Run("virsh -q -c qemu:///session 'destroy vmbr1; destroy vmbr2'") })
	said := start("vmbr1")
	t.Expect(strings.Fields(ports("vmbr1"))).To(HaveLen(1), "ports of the bridge that is allowed; virsh said: %s", said)
	refused := start("vmbr2")
	t.Expect(refused).To(ContainSubstring("access denied by acl file"), "what virsh says of a bridge that is not allowed")
	t.Expect(ports("vmbr2")).To(BeEmpty(), "ports of a bridge that is not allowed")
	ended := u.Run("virsh -q -c qemu:///session 'domstate vmbr1; destroy vmbr1'")
	t.Expect(ended.Text()).To(ContainSubstring("paused"))
	t.Until(30*time.Second, "the bridge has no port of a guest that ended", func() bool { return ports("vmbr1") == "" })
})
