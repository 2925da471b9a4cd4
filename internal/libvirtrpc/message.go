// Package libvirtrpc reads the messages that libvirt's client and daemon exchange,
// tells which calls are under way, and can sit between the two and misbehave.
//
// The framing is that of libvirt's docs/kbase/internals/rpc.rst and
// src/rpc/virnetprotocol.x: a length, six words of header, and a payload in XDR
// (RFC 4506).
package libvirtrpc

import (
	"encoding/binary"
	"fmt"
	"io"
)

// headerLen is the length word and the six words of virNetMessageHeader.
const headerLen = 7 * 4

// maxLen is VIR_NET_MESSAGE_MAX and the length word; the daemon refuses more.
const maxLen = 32<<20 + 4

// The words of a header, by place.
const (
	wordLength = iota
	wordProgram
	wordVersion
	wordProcedure
	wordType
	wordSerial
	wordStatus
)

// The types of messages (virNetMessageType).
const (
	typeCall         = 0
	typeReply        = 1
	typeEvent        = 2
	typeCallWithFDs  = 4
	typeReplyWithFDs = 5
)

// The states of messages (virNetMessageStatus).
const (
	statusOK    = 0
	statusError = 1
)

// message is one message as it is on the wire, with its length.
type message []byte

func (m message) word(i int) uint32 { return binary.BigEndian.Uint32(m[i*4:]) }

func (m message) procedure() procedure {
	return procedure{program: m.word(wordProgram), number: m.word(wordProcedure)}
}

func (m message) payload() []byte { return m[headerLen:] }

// reply makes the answer to a call.
func (m message) reply(status uint32, payload []byte) message {
	r := m.with(payload)
	binary.BigEndian.PutUint32(r[wordType*4:], typeReply)
	binary.BigEndian.PutUint32(r[wordStatus*4:], status)
	return r
}

// with makes the same message with another payload.
func (m message) with(payload []byte) message {
	r := append(append(make(message, 0, headerLen+len(payload)), m[:headerLen]...), payload...)
	binary.BigEndian.PutUint32(r, uint32(len(r)))
	return r
}

// check says why a header cannot be one; only the length can tell.
func (m message) check() error {
	if n := m.word(wordLength); n < headerLen || n > maxLen {
		return fmt.Errorf("cannot read message: its length of %d bytes is none of libvirt's RPC", n)
	}
	return nil
}

// read reads the next message. The error is io.EOF at the end of the last one.
func read(r io.Reader) (message, error) {
	m := make(message, headerLen)
	if _, err := io.ReadFull(r, m); err != nil {
		return nil, err
	}
	if err := m.check(); err != nil {
		return nil, err
	}
	m = append(m, make([]byte, m.word(wordLength)-headerLen)...)
	if _, err := io.ReadFull(r, m[headerLen:]); err == io.EOF {
		return nil, io.ErrUnexpectedEOF
	} else if err != nil {
		return nil, err
	}
	return m, nil
}

// each reads messages until one is not to be read or taken.
func each(r io.Reader, take func(message) error) error {
	for {
		m, err := read(r)
		if err != nil {
			return err
		}
		if err := take(m); err != nil {
			return err
		}
	}
}
