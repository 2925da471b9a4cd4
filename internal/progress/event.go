// Package progress tells people what a run is doing while it does it: events
// go to a file of the run, one line each, and are drawn lively on a terminal
// or as plain lines elsewhere.
package progress

import (
	"time"

	"github.com/virtmatrix/virtmatrix/matrix"
)

// Phase is what a run is busy with.
type Phase string

// The phases of a run, in order.
const (
	Resolving Phase = "resolving" // finding the exact packages
	Fetching  Phase = "fetching"  // Done and Total are bytes
	Building  Phase = "building"  // an image
	Waiting   Phase = "waiting"   // for room on the machine; Text says why
	Booting   Phase = "booting"   // a host of a cell
	Checking  Phase = "checking"  // Done and Total are checks of the cell
	Finished  Phase = "finished"  // a check (with Verdict), an image or a cell
)

// Event is one step of a run.
type Event struct {
	Time  time.Time `json:"time"`
	Phase Phase     `json:"phase"`
	// Cell, Check and Image say what it is about; each may be empty.
	Cell string `json:"cell,omitempty"`
	// Family is the part of the cell that is at work, when families work side by side.
	Family string `json:"family,omitempty"`
	Check  string `json:"check,omitempty"`
	Image  string `json:"image,omitempty"`
	// Done of Total, in the phase's unit; Total is 0 when it is not known.
	Done  int64 `json:"done,omitempty"`
	Total int64 `json:"total,omitempty"`
	// Verdict of the check that finished.
	Verdict matrix.Verdict `json:"verdict,omitempty"`
	// Seconds that what finished took.
	Seconds float64 `json:"seconds,omitempty"`
	// Text is a word more for people: a reason, "found in the store".
	Text string `json:"text,omitempty"`
}

// Sink takes events. It must be safe for use by several goroutines.
type Sink func(Event)
