package console

import "bytes"

// MaxBytes is what a guest may print on a console before it counts as dead: one
// that complains without end would fill L0's disk.
const MaxBytes = 256 << 20

// Watch looks for the line that a guest died of. It reads only what is new since
// it looked last, so that asking often is cheap. It is for one goroutine.
type Watch struct {
	log    Log
	offset int64
	fatal  Finding
	found  bool
}

// NewWatch watches a console from its beginning.
func NewWatch(log Log) *Watch { return &Watch{log: log} }

// Fatal returns the first line that means that the guest is dead.
func (w *Watch) Fatal() (Finding, bool) {
	for end := w.log.Size(); !w.found && w.offset < end; {
		text, err := w.log.Since(w.offset)
		if err != nil || len(text) == 0 {
			break // the next call may read it
		}
		for _, f := range Scan(text, nil) {
			if f.Severity == Fatal {
				w.fatal, w.found = f, true
				break
			}
		}
		// Half a line is looked at now, and again when it is whole.
		whole := bytes.LastIndexByte(text, '\n') + 1
		if whole == 0 && len(text) < maxSince {
			break
		}
		if whole == 0 {
			whole = len(text)
		}
		w.offset += int64(whole)
	}
	return w.fatal, w.found
}
