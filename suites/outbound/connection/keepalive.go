package connection

import (
	"time"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// A frozen daemon answers nothing, and its socket stays open: only the client's own
// question whether it lives ends the wait. The daemon is the one of the cell, and so is
// the client that is asked second; the first one is L0's.
var _ = check.Register("O-CONN-KA", check.Spec{
	Asserts:  "A client that asks whether the daemon lives comes back from one that is frozen",
	Requires: []matrix.Requirement{matrix.Since(matrix.Libvirt, "0.9.8")},
	Depends:  check.On(matrix.Libvirt),
	Control: sabotage.Wrap("virsh", "a virsh that does not ask whether the daemon lives",
		`for a; do shift; case $a in -k|-K) set -- "$@" "$a" 0;; 1|2) ;; *) set -- "$@" "$a";; esac; done; exec $REAL "$@"`),
}, func(t *steps.T) {
	conn := t.NewConnection()
	t.Do("keep connection alive", func() error { return conn.Raw.SetKeepAlive(1, 2) })
	freeze := "kill -STOP " + t.DaemonPID()
	thaw := "kill -CONT " + t.DaemonPID()
	t.Sh(freeze)
	t.Until(time.Minute, "the client has given the frozen daemon up", func() bool {
		alive, err := conn.Raw.IsAlive()
		return err == nil && !alive
	})
	t.Sh(thaw)
	t.Until(time.Minute, "the daemon answers again", func() bool { return t.Virsh("uri").OK() })

	// virsh is connected once it has answered; then the daemon freezes under it.
	script := t.Scratch("frozen.sh")
	t.Put(script, "coproc V { stdbuf -oL virsh -q -k 1 -K 2 -c "+t.URI()+` 2>&1; }
echo hostname >&${V[1]}; until test "$name" = $(hostname); do read -r name <&${V[0]} || exit 2; done
`+freeze+`
start=$(date +%s); echo list >&${V[1]}; echo quit >&${V[1]}
timeout 60 cat <&${V[0]}; took=$(($(date +%s) - start))
`+thaw+`
test $took -lt 40`)
	said := t.Run("bash " + script)
	t.Expect(said.OK()).To(BeTrue(), "virsh comes back from a frozen daemon within 40 s: %s", said.Text())
	t.Connection().Names() // the daemon goes on
})
