package lifecycle

import (
	"fmt"
	"strings"
	"time"

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
