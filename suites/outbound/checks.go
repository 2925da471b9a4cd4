// Package outbound holds the checks of what users and other SIGs touch: the
// libvirt API and virsh.
//
// Each goes through two client paths where it matters: the API from L0, whose
// errors have numbers, and the cell's own virsh in L1. Which error a driver must
// give is from libvirt's source; the place is named where it is no matter of
// course.
package outbound

import "github.com/virtmatrix/virtmatrix/suites/cell"

// Checks are the behaviours by check ID.
var Checks = map[string]cell.Body{
	"O-CONN":     connects,
	"O-CONN-RO":  readsOnly,
	"O-CAPS":     tellsCapabilities,
	"O-DOMCAPS":  tellsDomainCapabilities,
	"O-DEF":      defines,
	"O-RT":       roundTrips,
	"O-ERR":      refusesWithCodes,
	"O-START":    starts,
	"O-TRANS":    runsTransient,
	"O-DESTROY":  destroys,
	"O-SHUT":     shutsDown,
	"O-SUSP":     suspends,
	"O-SAVE":     saves,
	"O-MSAVE":    savesManaged,
	"O-EV-DOM":   tellsEvents,
	"O-STAT":     tellsStatistics,
	"O-POOL-DIR": keepsDirectoryPool,
	"O-VOL":      keepsVolumes,
	"O-CLI":      explainsItself,
}
