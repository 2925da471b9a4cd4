package xen

import (
	"time"

	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
)

// What the checks of this folder have in common: the stack that they ask of, and what
// their answers depend on. The toolstack comes with the hypervisor.
var (
	stack   = []matrix.Requirement{matrix.XenStack}
	depends = check.On(matrix.Linux, matrix.XenHyp)
)

// goneLimit bounds how long a guest may take to end, at scale 1.
const goneLimit = 2 * time.Minute

// modes are the guests that run a kernel of dom0's choice, by how Xen runs them. A PVH
// guest maps more of itself than a PV guest does.
var modes = map[string]domain.XL{"PV": {"type": "pv"}, "PVH": {"type": "pvh", "memory": 192}}

// ignores is a toolstack that takes a command and does nothing.
func ignores(command string) *sabotage.Control {
	return sabotage.Wrap("xl", "an xl that ignores "+command, `case "$1" in `+command+`) exit 0;; *) exec $REAL "$@";; esac`)
}
