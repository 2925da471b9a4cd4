package libvirtrpc

import (
	"bytes"
	"encoding/binary"
)

// padded is the length of n bytes in XDR, which come in words.
func padded(n uint32) uint64 { return (uint64(n) + 3) &^ 3 }

// appendString appends a string in XDR: its length, its bytes, and zeros.
func appendString(b []byte, s string) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
	b = append(b, s...)
	return append(b, make([]byte, int(padded(uint32(len(s))))-len(s))...)
}

// encodeError is a remote_error (virnetprotocol.x, virNetMessageError): code, domain,
// message, level, and eight more things that are not there.
func encodeError(code, domain int, text string) []byte {
	const level = 2 // VIR_ERR_ERROR
	b := binary.BigEndian.AppendUint32(nil, uint32(code))
	b = binary.BigEndian.AppendUint32(b, uint32(domain))
	b = appendString(append(b, 0, 0, 0, 1), text)
	b = binary.BigEndian.AppendUint32(b, level)
	// A domain, three strings, two numbers and a network.
	return append(b, make([]byte, 7*4)...)
}

// Replace makes a change of payload for Alter: in each string that has old, it
// becomes new.
func Replace(old, new string) func([]byte) []byte {
	return func(payload []byte) []byte {
		var out []byte
		for at := 0; at < len(payload); {
			s, n := stringAt(payload[at:])
			if n == 0 || !bytes.Contains(s, []byte(old)) {
				// No string, or none of interest: it goes on word by word, because
				// only the procedure knows what a word is.
				end := min(at+4, len(payload))
				out = append(out, payload[at:end]...)
				at = end
				continue
			}
			out = appendString(out, string(bytes.ReplaceAll(s, []byte(old), []byte(new))))
			at += n
		}
		return out
	}
}

// stringAt is the string that a payload may start with and how many bytes it takes
// there, or nothing where it cannot be one: a string has no zeros but those that
// fill its last word.
func stringAt(b []byte) (s []byte, n int) {
	if len(b) < 4 {
		return nil, 0
	}
	length := binary.BigEndian.Uint32(b)
	if length == 0 || 4+padded(length) > uint64(len(b)) {
		return nil, 0
	}
	end := 4 + int(length)
	n = 4 + int(padded(length))
	if bytes.IndexByte(b[4:end], 0) >= 0 || len(bytes.Trim(b[end:n], "\x00")) > 0 {
		return nil, 0
	}
	return b[4:end], n
}

// SetWord makes a change of payload for Alter: the word in that place gets the value.
// A number of 64 bits is two words, of which the second is the lower.
func SetWord(place int, value uint32) func([]byte) []byte {
	return func(payload []byte) []byte {
		if at := place * 4; at+4 <= len(payload) {
			binary.BigEndian.PutUint32(payload[at:], value)
		}
		return payload
	}
}
