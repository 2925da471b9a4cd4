package libvirtrpc

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// Fault is one way in which a daemon may misbehave, as Swallow and the others make
// it. It can be shared.
type Fault struct {
	text string
	// target names the procedure that the fault is about; empty is any.
	target string
	// on is the type of the messages that it applies to.
	on uint32
	// decide returns what happens in a message's place, nil when it passes. It may
	// look at the proxy, which is locked.
	decide func(*wire, message) (do func(), err error)
}

// String returns the fault as it is written.
func (f Fault) String() string { return f.text }

// Swallow answers a call with success, and the daemon never sees it. A procedure that
// returns something gets what it returned last time; where that is unknown the
// call passes, and Applied tells.
func Swallow(api string) Fault {
	return Fault{fmt.Sprintf("Swallow(%s)", api), api, typeCall, func(w *wire, m message) (func(), error) {
		payload, err := w.proxy.answer(m)
		if err != nil {
			return nil, err
		}
		return func() { w.tell(m.reply(statusOK, payload)) }, nil
	}}
}

// answer is the payload of a reply as the daemon would send it.
func (p *Proxy) answer(call message) ([]byte, error) {
	what := call.procedure()
	switch procedures().answers[what] {
	case answersNothing:
		return nil, nil
	case answersDomain:
		return domainOf(call.payload())
	}
	last, ok := p.last[what]
	if !ok {
		return nil, fmt.Errorf("%s returns something, and there is no earlier reply to give again", what)
	}
	return last, nil
}

// domainOf is the remote_nonnull_domain at the start of a call: name, UUID and ID.
func domainOf(payload []byte) ([]byte, error) {
	if len(payload) >= 4 {
		if n := padded(binary.BigEndian.Uint32(payload)) + 4 + 16 + 4; n <= uint64(len(payload)) {
			return payload[:n], nil
		}
	}
	return nil, errors.New("the call has no domain as first argument")
}

// Refuse answers a call with an error of that code and domain (virErrorNumber,
// virErrorDomain), and the daemon never sees it.
func Refuse(api string, code, domain int) Fault {
	text := fmt.Sprintf("Refuse(%s, %d, %d)", api, code, domain)
	return Fault{text, api, typeCall, func(w *wire, m message) (func(), error) {
		return func() { w.tell(m.reply(statusError, encodeError(code, domain, "refused by sabotage"))) }, nil
	}}
}

// ChangeCode gives the errors that the daemon answers a call with another code. An
// empty name changes those of every call.
func ChangeCode(api string, code int) Fault {
	return Fault{fmt.Sprintf("ChangeCode(%s, %d)", api, code), api, typeReply, func(w *wire, m message) (func(), error) {
		if m.word(wordStatus) != statusError || len(m.payload()) < 4 {
			return nil, nil
		}
		payload := bytes.Clone(m.payload())
		binary.BigEndian.PutUint32(payload, uint32(code))
		return func() { w.tell(m.with(payload)) }, nil
	}}
}

// Delay holds the reply to a call back for that long. Other replies overtake it.
func Delay(api string, d time.Duration) Fault {
	return Fault{fmt.Sprintf("Delay(%s, %s)", api, d), api, typeReply, func(w *wire, m message) (func(), error) {
		return func() { time.AfterFunc(d, func() { w.tell(m) }) }, nil
	}}
}

// Hang never answers a call, and the daemon never sees it.
func Hang(api string) Fault {
	return Fault{fmt.Sprintf("Hang(%s)", api), api, typeCall, func(*wire, message) (func(), error) {
		return func() {}, nil
	}}
}

// CloseAfter closes the connection in place of the reply to a call, which the daemon
// has done.
func CloseAfter(api string) Fault {
	return Fault{fmt.Sprintf("CloseAfter(%s)", api), api, typeReply, func(w *wire, _ message) (func(), error) {
		return w.hangUp, nil
	}}
}

// Alter changes the payload of the good replies to a call. A reply that the function
// leaves as it is counts as not altered.
func Alter(api string, change func(payload []byte) []byte) Fault {
	return Fault{fmt.Sprintf("Alter(%s)", api), api, typeReply, func(w *wire, m message) (func(), error) {
		if m.word(wordStatus) != statusOK {
			return nil, nil
		}
		changed := change(bytes.Clone(m.payload()))
		if bytes.Equal(changed, m.payload()) {
			return nil, nil
		}
		return func() { w.tell(m.with(changed)) }, nil
	}}
}

// DuplicateEvent tells events of a kind twice, as in
// REMOTE_PROC_DOMAIN_EVENT_CALLBACK_LIFECYCLE.
func DuplicateEvent(event string) Fault {
	return Fault{fmt.Sprintf("DuplicateEvent(%s)", event), event, typeEvent, func(w *wire, m message) (func(), error) {
		return func() { w.tell(m); w.tell(m) }, nil
	}}
}
