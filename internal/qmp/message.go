package qmp

import (
	"errors"
	"fmt"
	"io"
)

// message is anything QEMU sends: the greeting, a reply or an event.
type message struct {
	QMP   *banner `json:"QMP"`
	Event string  `json:"event"`
	ID    string  `json:"id"`
	Error *Error  `json:"error"`

	raw []byte
}

type banner struct {
	Version struct {
		QEMU struct {
			Major, Minor, Micro int
		} `json:"qemu"`
		Package string `json:"package"`
	} `json:"version"`
	Capabilities []string `json:"capabilities"`
}

func (b *banner) greeting() Greeting {
	q := b.Version.QEMU
	return Greeting{Major: q.Major, Minor: q.Minor, Micro: q.Micro, Package: b.Version.Package, Capabilities: b.Capabilities}
}

// excerptSize is how many bytes of a bad message an error quotes.
const excerptSize = 120

// excerpt quotes the start of what the peer sent, safe to print.
func excerpt(b []byte) string {
	if len(b) > excerptSize {
		return fmt.Sprintf("%+q...", b[:excerptSize])
	}
	return fmt.Sprintf("%+q", b)
}

var errTooLarge = errors.New("message too large")

// limitReader reads from r up to the offset until, and fails there, so that a
// peer cannot make the decoder buffer a message without end.
type limitReader struct {
	r     io.Reader
	n     int64
	until int64
}

// Read implements io.Reader.
func (l *limitReader) Read(p []byte) (int, error) {
	left := l.until - l.n
	if left <= 0 {
		return 0, errTooLarge
	}
	if int64(len(p)) > left {
		p = p[:left]
	}
	n, err := l.r.Read(p)
	l.n += int64(n)
	return n, err
}
