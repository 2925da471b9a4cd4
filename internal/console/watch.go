package console

import "bytes"

// Watch looks for the line that a guest died of. It reads only what is new since
// it looked last, so that asking often is cheap. It is for one goroutine.
type Watch struct {
	log    Log
	offset int64
	fatal  Finding
	found  bool
	// waited says that a line was left for the next look, which tells why.
	waited bool
}

// NewWatch watches a console from its beginning.
func NewWatch(log Log) *Watch { return &Watch{log: log} }

// Fatal returns the first line that means that the guest is dead.
func (w *Watch) Fatal() (Finding, bool) {
	if w.found || w.log.Size() == w.offset {
		return w.fatal, w.found
	}
	text, err := w.log.Since(w.offset)
	if err != nil {
		return Finding{}, false // the next call may read it
	}
	from, whole := w.offset, bytes.LastIndexByte(text, '\n')+1
	w.offset += int64(whole)
	// Half a line is looked at now, and again when it is whole. What the agent says
	// decides by its end whose fault it is, and always has one.
	if f, _ := inspect(clean(text[whole:])); f.Pattern == agentName {
		text = text[:whole]
	}
	for _, f := range Scan(text, nil) {
		if f.unsaid() && !w.waited {
			w.waited, w.offset = true, from
			return Finding{}, false
		}
		if f.Severity == Fatal {
			w.fatal, w.found = f, true
			break
		}
	}
	return w.fatal, w.found
}
